package dev.sparkmla.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DemoTest {
  private static final Path MODEL = Path.of("demo-model", "model");
  private static final Path DOCUMENTS = Path.of("sample-data", "documents.jsonl");

  @TempDir Path folder;

  /**
   * Its projections in 8 bits, as DeepSeek-V3 is published, cost it no answer: of every sixth
   * document, among which are short and long ones.
   */
  @Test
  void answersInEightBitsToo() throws IOException {
    Path quantized = folder.resolve("quantized");
    QuantizedModel.write(MODEL, quantized);
    assertThat(Files.size(quantized.resolve("model.safetensors")))
        .isLessThan(Files.size(MODEL.resolve("model.safetensors")) * 6 / 10);
    List<String> documents = Files.readAllLines(DOCUMENTS);
    Path input =
        Files.write(
            folder.resolve("in.jsonl"),
            IntStream.range(0, documents.size() / 6).mapToObj(i -> documents.get(6 * i)).toList());

    JobRun run =
        JobRun.of(
            "--model",
            quantized.toString(),
            "--input",
            input.toString(),
            "--output",
            folder.resolve("out").toString(),
            "--output-format",
            "json",
            "--max-tokens",
            Demo.MAX_TOKENS,
            "--temperature",
            "0",
            "--backend",
            "cpu");

    assertThat(run.code()).as(run.err() + run.out()).isZero();
    List<JsonNode> rows = JobRun.rows(folder.resolve("out"));
    assertThat(rows)
        .hasSizeGreaterThanOrEqualTo(9)
        .allSatisfy(
            row ->
                assertThat(row.get("text").asText().strip())
                    .isEqualTo(row.get("expected").asText()));
  }

  @Test
  void isFineFromNinetyEightInAHundred() {
    assertThat(new Demo(100, 98).isFine()).isTrue();
    assertThat(new Demo(100, 97).isFine()).isFalse();
    assertThat(new Demo(0, 0).isFine()).isFalse();
    assertThat(new Demo(56, 55))
        .hasToString("accuracy: 98.2 % (55 of 56 answers are exactly what is expected)");
  }

  @Test
  void carriesTheModelAndTheDocumentsAndLeavesNothingBehind() throws IOException {
    Path unpacked;
    try (EmbeddedFiles embedded = new EmbeddedFiles();
        Stream<Path> published = Files.list(MODEL)) {
      unpacked = embedded.model();

      assertThat(EmbeddedFiles.MODEL_FILES)
          .containsExactlyInAnyOrderElementsOf(
              published.map(file -> file.getFileName().toString()).toList());
      for (String file : EmbeddedFiles.MODEL_FILES) {
        assertThat(unpacked.resolve(file)).hasSameBinaryContentAs(MODEL.resolve(file));
      }
      assertThat(embedded.documents()).hasSameBinaryContentAs(DOCUMENTS);
      assertThat(Files.getPosixFilePermissions(unpacked.getParent()))
          .isEqualTo(PosixFilePermissions.fromString("rwx------"));
    }
    assertThat(unpacked.getParent()).doesNotExist();
  }
}
