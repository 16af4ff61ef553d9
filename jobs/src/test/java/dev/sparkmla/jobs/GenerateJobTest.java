package dev.sparkmla.jobs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class GenerateJobTest {
  @TempDir Path folder;

  @Test
  void keepsTheColumnsOfJsonLinesAndAddsTheResults() throws IOException {
    Path input =
        file(
            "in put.jsonl",
            """
            {"id": 1, "prompt": "one", "tags": ["a", "b"], "place": {"city": "Łódź"}}
            {"id": 2, "prompt": "two\\nlines", "score": 0.5}
            """);

    JobRun run = echo(input, "--output-format", "json");

    assertThat(run.code()).as(run.err()).isZero();
    List<JsonNode> rows = rows();
    assertThat(rows)
        .extracting(row -> row.get("id").asInt(), row -> row.get("text").asText())
        .containsExactlyInAnyOrder(tuple(1, "<one>"), tuple(2, "<two\nlines>"));
    JsonNode first = row(rows, 1);
    assertThat(first.fieldNames())
        .toIterable()
        .containsExactly(
            "id",
            "prompt",
            "tags",
            "place",
            "text",
            "reasoning",
            "finish_reason",
            "prompt_tokens",
            "cached_tokens",
            "output_tokens",
            "error_code",
            "error_message");
    assertThat(first.get("tags")).hasSize(2);
    assertThat(first.get("place").get("city").asText()).isEqualTo("Łódź");
    assertThat(first.get("finish_reason").asText()).isEqualTo("stop");
    assertThat(first.get("prompt_tokens").asInt()).isEqualTo(3);
    assertThat(first.get("cached_tokens").asInt()).isEqualTo(1);
    assertThat(first.get("output_tokens").asInt()).isEqualTo(2);
    assertThat(first.get("error_code").isNull()).isTrue();
    assertThat(run.out()).contains("2, none in error").contains("12 in (2 cached), 4 out");
  }

  @Test
  void takesConversationsWhateverElseAMessageHolds() throws IOException {
    Path input =
        file(
            "chats.jsonl",
            """
            {"id": 1, "prompt": [{"role": "user", "content": "a", "name": "x"}]}
            {"id": 2, "prompt": [{"content": "b", "role": "user"}, {"role": "assistant", "content": "c"}]}
            {"id": 3, "prompt": [{"role": "assistant", "tool_calls": [{"id": 1.5}]}]}
            """);

    JobRun run = echo(input, "--output-format", "json", "--system", "say 'hi'");

    assertThat(run.code()).as(run.err()).isZero();
    assertThat(rows())
        .extracting(row -> row.get("text").asText())
        .containsExactlyInAnyOrder(
            "<system:say 'hi'|user:a{\"name\":\"x\"}>",
            "<system:say 'hi'|user:b|assistant:c>",
            "<system:say 'hi'|assistant:null{\"tool_calls\":[{\"id\":1.5}]}>");
    assertThat(row(rows(), 1).get("prompt").get(0).get("name").asText()).isEqualTo("x");
  }

  @Test
  void takesEachPromptForWhatItIs() throws IOException {
    Path input =
        file(
            "mixed.jsonl",
            """
            {"id": 1, "prompt": [{"role": "user", "content": "a"}]}
            {"id": 2, "prompt": "b"}
            {"id": 3, "prompt": null}
            {"id": 4, "prompt": 7}
            {"id": 5, "prompt": true}
            {"id": 6, "prompt": {"a": 1}}
            {"id": 7, "prompt": [{"role": "user", "content": [{"type": "text", "text": "x"}, {"type": "text", "text": "y"}]}]}
            {"id": 8, "prompt": [{"role": "user", "content": [{"type": "image_url"}]}]}
            """);

    JobRun run = echo(input, "--output-format", "json");

    assertThat(run.code()).as(run.err()).isZero();
    assertThat(rows())
        .extracting(
            row -> row.get("id").asInt(),
            row -> row.get("text").asText(),
            row -> row.get("error_code").asText())
        .containsExactlyInAnyOrder(
            tuple(1, "<user:a>", "null"),
            tuple(2, "<b>", "null"),
            tuple(3, "null", "NULL_PROMPT"),
            tuple(4, "null", "INVALID_PROMPT"),
            tuple(5, "null", "INVALID_PROMPT"),
            tuple(6, "null", "INVALID_PROMPT"),
            tuple(7, "<user:xy>", "null"),
            tuple(8, "null", "INVALID_PROMPT"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"in.jsonl", "in.csv"})
  void writesTypedValuesAndVariantsWithASeedForEachRow(String name) throws IOException {
    Path input =
        file(
            name,
            name.endsWith("csv")
                ? "id,The seed,prompt\n1,7,a\n2,,b\n3,x,\"\"\n"
                : """
                {"id": 1, "The seed": 7, "prompt": "a"}
                {"id": 2, "prompt": "b"}
                {"id": 3, "The seed": "x", "prompt": ""}
                """);

    JobRun run =
        echo(
            input,
            "--output-format",
            "json",
            "--response-format",
            file("answers.txt", "\uFEFFregex: .*\n").toString(),
            "--seed-column",
            "the seed",
            "--n",
            "2");

    assertThat(run.code()).as(run.err()).isZero();
    assertThat(rows())
        .extracting(
            row -> row.get("id").asInt(),
            row -> row.get("value").asText(),
            row -> row.get("texts").toString(),
            row -> row.get("values").toString(),
            row -> row.get("finish_reasons").toString())
        .containsExactlyInAnyOrder(
            tuple(
                1,
                "<7|a>",
                "[\"<7|a>\",\"<7|a>\"]",
                "[\"<7|a>\",\"<7|a>\"]",
                "[\"stop\",\"stop\"]"),
            tuple(2, "<b>", "[\"<b>\",\"<b>\"]", "[\"<b>\",\"<b>\"]", "[\"stop\",\"stop\"]"),
            tuple(3, "<x|>", "[\"<x|>\",\"<x|>\"]", "[\"<x|>\",\"<x|>\"]", "[\"stop\",\"stop\"]"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"json", "parquet"})
  void writesValuesOfAnyType(String format) throws IOException {
    for (String type : List.of("json", "STRUCT<a: DATE, b: ARRAY<INT>>", "MAP<STRING, DOUBLE>")) {
      JobRun run =
          echo(
              file("in.jsonl", "{\"prompt\": \"a\"}\n"),
              "--overwrite",
              "--output-format",
              format,
              "--response-format",
              file("answers.txt", type).toString());

      assertThat(run.code()).as(run.err()).isZero();
    }
  }

  @Test
  void takesAnyPromptAsTextWhereAsked() throws IOException {
    Path input =
        file("in.jsonl", "{\"id\": 1, \"prompt\": {\"a\": 1.10}}\n{\"id\": 2, \"prompt\": 7}\n");

    JobRun run = echo(input, "--output-format", "json", "--prompt-as-text");

    assertThat(run.code()).as(run.err()).isZero();
    assertThat(rows())
        .extracting(row -> row.get("text").asText())
        .containsExactlyInAnyOrder("<{\"a\": 1.10}>", "<7>");
  }

  @Test
  void losesNothingOfLinesThatAreNotOneObject() throws IOException {
    Path input =
        file(
            "odd.jsonl",
            "\uFEFF{\"id\":1,\"prompt\":\"one\"}\r\n\r\n"
                + "{\"id\":2,\"prompt\":\"two\"}{\"id\":3,\"prompt\":\"three\"}\r\n"
                + "[{\"id\":4,\"prompt\":\"four\"}]\r\n"
                + "{\"id\":5,\"Prompt\":\"five\"}\r\n"
                + "{\"id\":6,\"prompt\":\"x\",\"Prompt\":\"y\"}\r\n"
                + "{\"id\":7,\"prompt\":\"seven\",\"deep\":"
                + "[".repeat(400)
                + "]".repeat(400)
                + "}\r\n"
                + "{\"id\":8,\"prompt\":\"x\",\"deep\":"
                + "[".repeat(5000)
                + "]".repeat(5000)
                + "}\r\n"
                + "\0\0\r\n"
                + "{\"id\":10,\"prompt\":\"ten\",\"meta\":{},\"n\":1.10}\r\n"
                + "{\"id\":11,\"prompt\":\"x\",\"\\ud800\":1}\r\n");

    JobRun run = echo(input, "--output-format", "json");

    assertThat(run.code()).as(run.err()).isZero();
    List<JsonNode> rows = rows();
    assertThat(rows)
        .filteredOn(row -> row.get("error_code").isNull())
        .extracting(row -> row.get("text").asText())
        .containsExactlyInAnyOrder(
            "<one>", "<two>", "<three>", "<four>", "<five>", "<seven>", "<ten>");
    assertThat(rows)
        .filteredOn(row -> !row.get("error_code").isNull())
        .allSatisfy(row -> assertThat(row.get("error_code").asText()).isEqualTo("BROKEN_ROW"))
        .extracting(row -> row.get("error_message").asText().replaceAll(" of .*", ""))
        .containsExactlyInAnyOrder("line 6", "line 8", "line 9", "line 11");
    assertThat(row(rows, 10).get("meta")).isEmpty();
  }

  @Test
  void takesALineOfAnArrayForItsObject() throws IOException {
    Path input = file("in.jsonl", "{\"prompt\":\"one\"},\n{\"prompt\":\"two\"} , \r\n,\n");

    JobRun run = echo(input, "--output-format", "json");

    assertThat(run.code()).as(run.err()).isZero();
    assertThat(rows())
        .extracting(row -> row.get("text").asText(), row -> row.get("error_code").asText())
        .containsExactlyInAnyOrder(
            tuple("<one>", "null"), tuple("<two>", "null"), tuple("null", "BROKEN_ROW"));
  }

  @Test
  void writesNumbersThatAreNoJsonAsTheyCame() throws IOException {
    Path input = file("in.jsonl", "{\"prompt\":\"one\",\"a\":NaN,\"b\":[-Infinity,1]}\n");

    JobRun run = echo(input, "--output-format", "json");

    assertThat(run.code()).as(run.err()).isZero();
    assertThat(JobRun.lines(folder.resolve("out")))
        .singleElement()
        .asString()
        .startsWith("{\"prompt\":\"one\",\"a\":NaN,\"b\":[-Infinity,1],\"text\":\"<one>\"");
  }

  @Test
  void saysWhatIsNoJsonWithoutWordsOfItsParser() throws IOException {
    Path input = file("in.jsonl", "{\"prompt\":\"one\"}\n{\"prompt\":[1\n");

    JobRun run = echo(input, "--output-format", "json");

    assertThat(run.code()).as(run.err()).isZero();
    assertThat(rows())
        .extracting(row -> row.get("error_message").asText())
        .anyMatch(message -> message.contains("(start marker at line: 1, column: 11)"))
        .noneMatch(message -> message.contains("Source"));
  }

  @Test
  void keepsAnyNumberOfKeys() throws IOException {
    int count = 12_000;
    String lines =
        IntStream.range(0, count)
            .mapToObj(row -> "{\"k" + row + "\":[" + row + ", \"é\"],\"prompt\":\"" + row + "\"}\n")
            .collect(Collectors.joining());
    Path input =
        file("in.jsonl", lines + "{\"prompt\":\"x\",\"K1\":1,\"k11999\":1,\"K11999\":2}\n");

    JobRun run = echo(input, "--output-format", "json");

    assertThat(run.code()).as(run.err()).isZero();
    List<JsonNode> rows = rows();
    assertThat(rows).hasSize(count + 1);
    assertThat(rows)
        .filteredOn(row -> row.get("error_code").isNull())
        .hasSize(count)
        .allSatisfy(
            row -> {
              int number = row.get("prompt").asInt();
              assertThat(row.get("k" + number).get(0).asInt()).isEqualTo(number);
              assertThat(row.get("text").asText()).isEqualTo("<" + number + ">");
            });
    assertThat(rows)
        .extracting(row -> row.get("error_message").asText())
        .anyMatch(message -> message.contains("line 12001"))
        .anyMatch(message -> message.contains("the key K11999 is there twice"));
  }

  @Test
  void carriesEmptyKeys() throws IOException {
    Path input =
        file(
            "in.jsonl",
            "{\"id\": 1, \"prompt\": \"one\", \"\": 1.50, \"in\": {\"\": 2}}\n"
                + "{\"id\": 2, \"prompt\": \"two\"}\n");
    Path between = folder.resolve("between");

    JobRun first = JobRun.echo("--input", input.toString(), "--output", between.toString());
    JobRun second = echo(between, "--output-format", "json", "--output-prefix", "second_");

    assertThat(first.code()).as(first.err()).isZero();
    assertThat(second.code()).as(second.err()).isZero();
    JsonNode row = row(rows(), 1);
    assertThat(row.get("text").asText()).isEqualTo("<one>");
    assertThat(row.get("other_keys").asText()).isEqualTo("{\"\": 1.50}");
    assertThat(row.get("in").asText()).isEqualTo("{\"\": 2}");
    assertThat(row(rows(), 2).get("text").asText()).isEqualTo("<two>");
    assertThat(row(rows(), 2).get("other_keys").isNull()).isTrue();
  }

  @Test
  void refusesAKeyNamedAsAGeneratedColumnHoweverManyThereAre() throws IOException {
    String lines =
        IntStream.range(0, 10_001)
            .mapToObj(row -> "{\"k" + row + "\":1}\n")
            .collect(Collectors.joining());

    JobRun run =
        echo(
            file("in.jsonl", lines + "{\"prompt\":\"x\",\"Text\":\"y\"}\n"),
            "--output-format",
            "json");

    assertThat(run.code()).isEqualTo(1);
    assertThat(run.err()).contains("named as generated ones: Text;");
  }

  @Test
  void readsTheParquetItWrites() throws IOException {
    Path input =
        file(
            "in.json", "{\"id\": \"a\", \"prompt\": \"one\"}\n{\"id\": \"b\", \"prompt\": \"\"}\n");
    Path between = folder.resolve("between");

    JobRun first = JobRun.echo("--input", input.toString(), "--output", between.toString());
    JobRun second =
        JobRun.echo(
            "--input",
            between.toString(),
            "--output",
            output(),
            "--output-format",
            "json",
            "--prompt-column",
            "text",
            "--output-prefix",
            "second_");

    assertThat(first.code()).as(first.err()).isZero();
    assertThat(second.code()).as(second.err()).isZero();
    assertThat(rows())
        .extracting(
            row -> row.get("id").asText(),
            row -> row.get("text").asText(),
            row -> row.get("error_code").asText(),
            row -> row.get("second_text").asText(),
            row -> row.get("second_error_code").asText())
        .contains(tuple("a", "<one>", "null", "<<one>>", "null"))
        .hasSize(2);
    assertThat(row(rows(), "b").get("error_code").asText()).isEqualTo("EMPTY_PROMPT");
  }

  @Test
  void keepsColumnsThatOnlySomeParquetFilesHave() throws IOException {
    Path one = file("one.jsonl", "{\"id\": 1, \"prompt\": \"one\", \"extra\": \"kept\"}\n");
    Path two = file("two.jsonl", "{\"id\": 2, \"prompt\": \"two\"}\n");
    String between = folder.resolve("between").toString();
    assertThat(JobRun.echo("--input", one.toString(), "--output", between + "/one").code())
        .isZero();
    assertThat(JobRun.echo("--input", two.toString(), "--output", between + "/two").code())
        .isZero();

    JobRun run = echo(Path.of(between), "--output-format", "json", "--output-prefix", "second_");

    assertThat(run.code()).as(run.err()).isZero();
    assertThat(rows())
        .extracting(row -> row.get("id").asInt(), row -> row.get("extra").asText())
        .containsExactlyInAnyOrder(tuple(1, "kept"), tuple(2, "null"));
  }

  @Test
  void joinsTheTextsOfPartsInParquetToo() throws IOException {
    String message = "{\"role\": \"user\", \"name\": \"x\", \"content\": [%s]}";
    String part = "{\"type\": \"%s\", \"text\": \"%s\"}";
    String row = "{\"id\": %d, \"prompt\": [" + message + "]}\n";
    Path input =
        file(
            "in.jsonl",
            String.format(
                    row,
                    1,
                    String.format(part, "text", "a") + "," + String.format(part, "text", "b"))
                + String.format(row, 2, String.format(part, "image", "a")));
    Path between = folder.resolve("between");

    JobRun first = JobRun.echo("--input", input.toString(), "--output", between.toString());
    JobRun second = echo(between, "--output-format", "json", "--output-prefix", "second_");

    assertThat(first.code()).as(first.err()).isZero();
    assertThat(second.code()).as(second.err()).isZero();
    assertThat(rows())
        .extracting(
            result -> result.get("text").asText(), result -> result.get("second_text").asText())
        .containsExactlyInAnyOrder(
            tuple("<user:ab{\"name\":\"x\"}>", "<user:ab{\"name\":\"x\"}>"),
            tuple(
                "null",
                "<user:null{\"name\":\"x\",\"content\":[{\"type\":\"image\",\"text\":\"a\"}]}>"));
  }

  @Test
  void readsCsvWithLinesAndQuotesInItsCells() throws IOException {
    Path input =
        file(
            "in.csv",
            "id,prompt\n"
                + "1,\"two\nlines, \"\"quoted\"\"\"\n"
                + "2,plain\n"
                + "3,\n"
                + "4,\"\"\n"
                + "6,\0\n"
                + "5,too,many,cells\n");

    JobRun run = echo(input, "--output-format", "json");

    assertThat(run.code()).as(run.err()).isZero();
    assertThat(rows())
        .extracting(
            row -> row.get("id").asText(),
            row -> row.get("text").asText(),
            row -> row.get("error_code").asText())
        .contains(
            tuple("1", "<two\nlines, \"quoted\">", "null"),
            tuple("2", "<plain>", "null"),
            tuple("6", "<\0>", "null"))
        .hasSize(6);
    assertThat(row(rows(), "3").get("error_code").asText()).isEqualTo("NULL_PROMPT");
    assertThat(row(rows(), "4").get("error_code").asText()).isEqualTo("EMPTY_PROMPT");
    assertThat(row(rows(), "5").get("error_code").asText()).isEqualTo("BROKEN_ROW");
    assertThat(row(rows(), "5").get("error_message").asText()).contains("5,too,many,cells");
  }

  @Test
  void refusesACsvThatEndsWithinAQuotedCell() throws IOException {
    String end = "5,\"two\nlines\"";
    JobRun open = echo(file("open.csv", "id,prompt\n1,one\n2,\"never closed\n3,three\n"));
    JobRun inches = echo(file("inches.csv", "id,prompt\n1,a 5\" pipe\n" + end));

    assertThat(open.code()).isEqualTo(1);
    assertThat(open.err())
        .contains("open.csv ends within a cell that a quote opens and none closes: never closed");
    assertThat(inches.code()).as(inches.err()).isZero();
  }

  @Test
  void takesALineOfTextForADocument() throws IOException {
    Path input = file("in.txt", "one\n\ntwo\n");

    JobRun run = echo(input, "--output-format", "json", "--prompt-column", "line");

    assertThat(run.code()).as(run.err()).isZero();
    assertThat(rows())
        .extracting(row -> row.get("line").asText(), row -> row.get("error_code").asText())
        .containsExactlyInAnyOrder(
            tuple("one", "null"), tuple("", "EMPTY_PROMPT"), tuple("two", "null"));
  }

  @Test
  void losesNoRowOfAFileWithBadOnes() throws IOException {
    String lines =
        IntStream.range(0, 1000)
            .mapToObj(
                row ->
                    switch (row % 20 == 7 ? row / 20 % 5 : -1) {
                      case 0 -> "{\"id\": " + row + ", \"prompt\": null}";
                      case 1 -> "{\"id\": " + row + "}";
                      case 2 -> "{\"id\": " + row + ", \"prompt\": \"\"}";
                      case 3 ->
                          "{\"id\": " + row + ", \"prompt\": \"" + "long ".repeat(100) + "\"}";
                      case 4 -> "{\"id\": " + row + ", \"prompt\": \"never clo";
                      default -> "{\"id\": " + row + ", \"prompt\": \"row " + row + "\"}";
                    })
            .collect(Collectors.joining("\n"));

    JobRun run = echo(file("in.jsonl", lines), "--output-format", "json");

    assertThat(run.code()).as(run.err()).isZero();
    List<JsonNode> rows = rows();
    assertThat(rows).hasSize(1000);
    assertThat(
            rows.stream()
                .collect(
                    Collectors.groupingBy(
                        row -> row.get("error_code").asText(), Collectors.counting())))
        .containsOnly(
            java.util.Map.entry("null", 950L),
            java.util.Map.entry("NULL_PROMPT", 20L),
            java.util.Map.entry("EMPTY_PROMPT", 10L),
            java.util.Map.entry("PROMPT_TOO_LONG", 10L),
            java.util.Map.entry("BROKEN_ROW", 10L));
    assertThat(rows)
        .filteredOn(row -> row.get("error_code").isNull())
        .allSatisfy(
            row ->
                assertThat(row.get("text").asText())
                    .isEqualTo("<row " + row.get("id").asText() + ">"));
    assertThat(rows)
        .filteredOn(row -> !row.get("error_code").isNull())
        .allSatisfy(
            row -> {
              assertThat(row.get("finish_reason").asText()).isEqualTo("error");
              assertThat(row.get("error_message").asText()).isNotEqualTo("null");
              assertThat(row.get("output_tokens").asInt()).isZero();
              assertThat(row.get("prompt_tokens").asInt())
                  .isEqualTo(row.get("error_code").asText().equals("PROMPT_TOO_LONG") ? 500 : 0);
            });
    int read =
        rows.stream()
            .filter(row -> row.get("error_code").isNull())
            .mapToInt(row -> row.get("prompt_tokens").asInt())
            .sum();
    assertThat(run.out()).contains(String.format(Locale.ROOT, "%,d in (950 cached)", read));
    assertThat(run.out())
        .contains("1,000")
        .contains("50: BROKEN_ROW 10, EMPTY_PROMPT 10, NULL_PROMPT 20, PROMPT_TOO_LONG 10")
        .as("the first rows in error")
        .containsSubsequence(
            "  7: NULL_PROMPT", "  27: NULL_PROMPT", "  47: EMPTY_PROMPT", "  67: PROMPT_TOO_LONG");
  }

  /** Not the name of a file with further options. */
  @Test
  void aTextMayBeginWithAnAtSign() throws IOException {
    JobRun run = echo(file("in.jsonl", "{\"prompt\": \"a\"}\n"), "--system", "@nowhere");

    assertThat(run.code()).as(run.err()).isZero();
  }

  @ParameterizedTest
  @CsvSource({
    "EMPTY_PROMPT, '{\"prompt\": \"\"}'",
    "prompt is NULL, '{\"prompt\": null}'",
    "cannot be read, '{\"prompt'"
  })
  void failsOnAnErrorWhereAsked(String reason, String line) throws IOException {
    Path input = file("in.jsonl", "{\"prompt\": \"fine\"}\n" + line + "\n");

    JobRun run = echo(input, "--on-error", "fail");

    assertThat(run.code()).isEqualTo(1);
    assertThat(run.err()).contains(reason);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      value = {
        "--seed 1 --seed-column a; --seed and --seed-column are both given",
        "--n 0; n is '0'; it must be an integer from 1 to 128",
        "--response-white-space some; response_white_space is 'some'",
        "--response-format nowhere; cannot read the file nowhere, which --response-format names and which holds the"
            + " format: there is no such file",
        "--resume --force; --resume goes on with an unfinished output, --force deletes it",
        "--slice-rows 0; '0' is not a whole number from 1 to 2147483647",
        "--slice-rows 1.5; '1.5' is not a whole number from 1",
        "--slice-seconds x; 'x' is not a whole number from 1",
        "--slice-seconds 2147483648; '2147483648' is not a whole number from 1",
        "--gpu-hour-price 2; --gpu-hour-price is for the page that --report writes",
        "--report r.html --gpu-hour-price 0; '0' is not a number above 0",
        "--report r.html --gpu-hour-price 2€; '2€' is not a number above 0",
        "--report r.html --gpu-hour-price NaN; 'NaN' is not a number above 0",
        "--report r.html --gpu-hour-price Infinity; 'Infinity' is not a number above 0",
        "--resume=maybe; 'maybe' is not true or false",
        "--input x; --input needs an --output or an --output-table",
        "--input x --output y --output-table z; --output and --output-table are both given",
        "--output-table z; --output-table and --checkpoint go together",
        "--input x --output y --checkpoint z; --output-table and --checkpoint go together",
        "--output y --table-format delta; --table-format is for an --output-table",
        "--output-table y --checkpoint z --table-format orc; 'orc' is none of delta, iceberg",
        "--output y --partition-by a --output-format json; --output-table and --partition-by need",
        "--output-table y --checkpoint z --output-format json; --output-table and --partition-by",
        "--input-format xml; 'xml' is none of json, parquet, csv, text",
        "--output-format csv; 'csv' is none of parquet, json",
        "--on-error null; 'null' is none of row, fail",
        "--on-overflow cut; 'cut' is none of error, truncate_left, truncate_middle, truncate_output",
        "--backend tpu; 'tpu' is none of",
        "--max-tokens 0; max_tokens",
        "--max-tokens many; max_tokens",
        "--temperature -1; temperature",
        "--top-p 2; top_p",
        "--top-k -1; top_k",
        "--seed x; seed",
        "--conf novalue; 'novalue'",
        "--modell x; 'there is no option --modell; did you mean --model?'",
        "--partition kind; 'there is no option --partition; did you mean --partition-by?'",
        "--partition=kind; 'there is no option --partition; did you mean --partition-by?'",
        "--zzz; there is no option --zzz",
        "-- --n 2; 'after --, --n is no option; leave -- away'",
        "-- --n=2; 'after --, --n is no option; leave -- away'",
        "-- --zzz; there is no option --zzz",
        "--conf =x; a --conf has no key before its =",
        "--output y kind; 'kind' belongs to no option"
      })
  void refusesWrongCommandLines(String arguments, String message) {
    JobRun run = JobRun.of(arguments.split(" "));

    assertThat(run.code()).as(run.err()).isEqualTo(2);
    assertThat(run.err()).contains(message).contains("generate --help");
    assertThat(run.out()).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "--input",
        "--output",
        "--output-table",
        "--checkpoint",
        "--model",
        "--prompt-column",
        "--key-column",
        "--seed-column",
        "--response-format",
        "--report",
        "--master"
      })
  void saysThatAValueIsEmpty(String option) {
    for (JobRun run : List.of(JobRun.of(option + "="), JobRun.of(option, " "))) {
      assertThat(run.code()).as(run.err()).isEqualTo(2);
      assertThat(run.err().lines())
          .first()
          .asString()
          .startsWith("generate: Invalid value for option '" + option + "'")
          .endsWith(": the value is empty; expected a path, a URI or a name");
    }
  }

  @Test
  void refusesAnInputThatIsNotThere() {
    JobRun run = echo(folder.resolve("none.jsonl"));

    assertThat(run.code()).isEqualTo(1);
    assertThat(run.err()).contains("there is no file at the input").contains("none.jsonl");
  }

  @Test
  void refusesAnInputWhoseFormatItCannotTell() throws IOException {
    JobRun run = echo(file("documents.dat", "x"));

    assertThat(run.code()).isEqualTo(1);
    assertThat(run.err()).contains("documents.dat").contains("--input-format");
  }

  @Test
  void refusesAnOutputThatIsThereUntilAskedToReplaceIt() throws IOException {
    Path input = file("in.jsonl", "{\"prompt\": \"one\"}\n");
    assertThat(echo(input, "--output-format", "json").code()).isZero();

    JobRun again = echo(input, "--output-format", "json");
    JobRun replaced = echo(input, "--output-format", "json", "--overwrite");

    assertThat(again.code()).isEqualTo(1);
    assertThat(again.err()).contains("is there already").contains("--overwrite");
    assertThat(replaced.code()).as(replaced.err()).isZero();
    assertThat(rows()).hasSize(1);
  }

  @Test
  void neverReplacesItsInput() throws IOException {
    Path input = file("in.jsonl", "{\"prompt\": \"one\"}\n");

    JobRun run =
        JobRun.echo("--input", input.toString(), "--output", folder.toString(), "--overwrite");

    assertThat(run.code()).isEqualTo(1);
    assertThat(run.err()).contains("is or holds the input");
    assertThat(input).exists();
  }

  @Test
  void refusesColumnsThatAreNotThere() throws IOException {
    Path input = file("in.jsonl", "{\"prompt\": 1, \"id\": 2}\n");

    JobRun prompt = echo(input, "--prompt-column", "question");
    JobRun key = echo(input, "--key-column", "name");

    assertThat(prompt.code()).isEqualTo(1);
    assertThat(prompt.err()).contains("has no column question; it has prompt, id");
    assertThat(key.code()).isEqualTo(1);
  }

  @Test
  void refusesWhatIsNoJsonLines() throws IOException {
    JobRun indented = echo(file("pretty.json", "[\n  {\n    \"prompt\": \"x\"\n  }\n]\n"));
    JobRun empty = echo(file("empty.jsonl", ""));
    JobRun colon = echo(file("a:b.jsonl", "{\"prompt\": \"x\"}\n"));
    JobRun hidden = echo(file("_a.jsonl", "{\"prompt\": \"x\"}\n"));
    JobRun packed = echo(file("a.jsonl.lz4", "\u0004\"M\u0018"));

    assertThat(indented.err())
        .contains("pretty.json has JSON over several lines")
        .contains("jq -c");
    assertThat(empty.err()).contains("empty.jsonl is empty");
    assertThat(colon.err()).contains("has a colon in its name");
    assertThat(hidden.err()).contains("begins with an underscore");
    assertThat(packed.err()).contains("a.jsonl.lz4 is an archive, or compressed otherwise");
    assertThat(List.of(indented, empty, colon, hidden, packed))
        .allSatisfy(run -> assertThat(run.code()).isEqualTo(1))
        .allSatisfy(run -> assertThat(run.err()).doesNotContain("\tat "));
  }

  @Test
  void saysInOneLineWhyAnInputCannotBeRead() throws IOException {
    Path cut = folder.resolve("cut.jsonl.gz");
    ByteArrayOutputStream packed = new ByteArrayOutputStream();
    try (OutputStream gzip = new GZIPOutputStream(packed)) {
      gzip.write("{\"prompt\": \"one\"}\n".repeat(1000).getBytes(StandardCharsets.UTF_8));
    }
    Files.write(cut, Arrays.copyOf(packed.toByteArray(), packed.size() / 2));

    JobRun half = echo(cut);
    JobRun noSystem =
        JobRun.echo("--input", "s3a://bucket/in.jsonl", "--output", output(), "--overwrite");

    assertThat(half.code()).isEqualTo(1);
    assertThat(half.err().lines().filter(line -> line.startsWith("generate: ")))
        .singleElement()
        .asString()
        .contains("cut.jsonl.gz cannot be read: Unexpected end of input stream");
    assertThat(noSystem.code()).isEqualTo(1);
    assertThat(noSystem.err().lines())
        .singleElement()
        .asString()
        .startsWith("generate: the input s3a://bucket/in.jsonl cannot be read: ");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "http://localhost:1/in.jsonl | cannot be read: Hadoop lists no files of web servers",
        "ftp://localhost:1/in.jsonl | cannot be read: ",
        "file:///in%20put.jsonl | there is no file at the input file:///in%20put.jsonl, in which",
      })
  void saysInOneLineWhatIsWrongWithAUri(String input, String message) {
    JobRun run = JobRun.echo("--input", input, "--output", output());

    assertThat(run.code()).isEqualTo(1);
    assertThat(run.err().lines()).singleElement().asString().contains(message);
  }

  @ParameterizedTest
  @ValueSource(strings = {"local[abc]", "local[0]"})
  void saysInOneLineThatThereIsNoSuchMaster(String master) throws IOException {
    Path input = file("in.jsonl", "{\"prompt\": \"one\"}\n");

    JobRun run = echo(input, "--master", master);

    assertThat(run.code()).isEqualTo(1);
    assertThat(run.err().lines().filter(line -> !line.startsWith("loading ")))
        .singleElement()
        .asString()
        .startsWith("generate: Spark does not start with the master " + master + ": ")
        .contains("expected local[N]");
  }

  @Test
  void readsAGlobBesideANameThatHadoopCannotOpen() throws IOException {
    file("a:b.jsonl", "{\"prompt\": \"no\"}\n");
    file("one.jsonl", "{\"prompt\": \"one\"}\n");
    file("two.jsonl", "{\"prompt\": \"two\"}\n");

    JobRun run = echo(folder.resolve("{one,t[v-x]*}.jsonl"), "--output-format", "json");

    assertThat(run.code()).as(run.err()).isZero();
    assertThat(rows())
        .extracting(row -> row.get("text").asText())
        .containsExactlyInAnyOrder("<one>", "<two>");
  }

  @Test
  void keepsTheOldOutputWhenTheNewOneFails() throws IOException {
    assertThat(echo(file("old.jsonl", "{\"prompt\": \"old\"}\n"), "--output-format", "json").code())
        .isZero();
    Path input = file("new.jsonl", "{\"prompt\": \"new\"}\n{\"prompt\": \"\"}\n");

    JobRun run = echo(input, "--output-format", "json", "--overwrite", "--on-error", "fail");

    assertThat(run.code()).isEqualTo(1);
    assertThat(rows()).extracting(row -> row.get("text").asText()).containsExactly("<old>");
  }

  @Test
  void neverReplacesItsInputHoweverItIsNamed() throws IOException {
    Path data = Files.createDirectory(folder.resolve("data"));
    Path input = Files.writeString(data.resolve("a.jsonl"), "{\"prompt\": \"one\"}\n");
    Path link = Files.createSymbolicLink(folder.resolve("link"), Path.of("data"));

    for (String named : List.of(folder + "/da*/*.jsonl", link.toString(), link + "/a.jsonl")) {
      JobRun run = JobRun.echo("--input", named, "--output", data.toString(), "--overwrite");

      assertThat(run.code()).as(named).isEqualTo(1);
      assertThat(run.err()).contains("is or holds the input");
      assertThat(input).exists();
    }
  }

  @Test
  void keepsTheZerosOfFoldersNames() throws IOException {
    for (String code : List.of("007", "010")) {
      Path part = Files.createDirectories(folder.resolve("in/code=" + code));
      Files.writeString(part.resolve("a.jsonl"), "{\"prompt\": \"" + code + "\"}\n");
    }

    JobRun run = echo(folder.resolve("in"), "--output-format", "json");

    assertThat(run.code()).as(run.err()).isZero();
    assertThat(rows())
        .extracting(row -> row.get("code").asText(), row -> row.get("text").asText())
        .containsExactlyInAnyOrder(tuple("007", "<007>"), tuple("010", "<010>"));
  }

  @Test
  void refusesColumnsNamedAsGeneratedOnes() throws IOException {
    Path input = file("in.jsonl", "{\"prompt\": \"one\", \"Text\": \"x\"}\n");

    JobRun run = echo(input);

    assertThat(run.code()).isEqualTo(1);
    assertThat(run.err()).contains("Text").contains("--output-prefix");
  }

  @Test
  void refusesTheEmbeddedModelOnACluster() throws IOException {
    Path input = file("in.jsonl", "{\"prompt\": \"one\"}\n");

    JobRun run =
        JobRun.of(
            "--input", input.toString(), "--output", output(), "--master", "spark://nowhere:7077");

    assertThat(run.code()).isEqualTo(1);
    assertThat(run.err()).contains("spark://nowhere:7077").contains("--model");
  }

  @Test
  void namesRowsInErrorByTheirKey() throws IOException {
    Path input =
        file(
            "in.jsonl",
            "{\"prompt\": \"\", \"name\": \"first\"}\n{\"prompt\": \"x\", \"name\": \"y\"}");

    JobRun run = echo(input, "--key-column", "name");

    assertThat(run.code()).as(run.err()).isZero();
    assertThat(run.out()).contains("first: EMPTY_PROMPT: said by the echo");
  }

  private JobRun echo(Path input, String... more) {
    return JobRun.echo(
        java.util.stream.Stream.concat(
                java.util.stream.Stream.of("--input", input.toString(), "--output", output()),
                Arrays.stream(more))
            .toArray(String[]::new));
  }

  private String output() {
    return folder.resolve("out").toString();
  }

  private List<JsonNode> rows() throws IOException {
    return JobRun.rows(folder.resolve("out"));
  }

  private static JsonNode row(List<JsonNode> rows, Object id) {
    return rows.stream()
        .filter(row -> row.path("id").asText().equals(id.toString()))
        .findFirst()
        .orElseThrow();
  }

  private Path file(String name, String content) throws IOException {
    return Files.writeString(folder.resolve(name), content);
  }
}
