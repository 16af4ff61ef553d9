package dev.sparkmla.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The job gives, row by row, what transformers gives for each golden checkpoint. */
class GoldenCheckpointsTest {
  private static final Path GOLDEN = Path.of("..", "spark-plugin", "src", "test", "golden");
  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir Path folder;

  /** Plain prompts and conversations in one job, whose rows each say what they are. */
  @ParameterizedTest
  @MethodSource("models")
  void givesWhatTransformersGives(Path model) throws IOException {
    Map<JsonNode, JsonNode> expected = new HashMap<>();
    for (String prompts : List.of("prompts.jsonl", "chat.jsonl")) {
      for (String line : Files.readAllLines(model.resolve(prompts))) {
        JsonNode row = JSON.readTree(line);
        expected.put(row.get("prompt"), row);
      }
    }

    JobRun run =
        JobRun.of(
            "--model", model.toString(),
            "--input", model + "/{prompts,chat}.jsonl",
            "--output", folder.resolve("out").toString(),
            "--output-format", "json",
            "--max-tokens", "12",
            "--temperature", "0",
            "--backend", "cpu");

    assertThat(run.code()).as(run.err()).isZero();
    List<JsonNode> rows = JobRun.rows(folder.resolve("out"));
    assertThat(rows).isNotEmpty().hasSameSizeAs(expected.values());
    for (JsonNode row : rows) {
      JsonNode wanted = expected.get(row.get("prompt"));
      assertThat(row.get("text")).as("row " + row).isEqualTo(wanted.get("expected_text"));
      assertThat(row.get("finish_reason")).isEqualTo(wanted.get("expected_finish_reason"));
      assertThat(row.get("prompt_tokens").asInt())
          .isEqualTo(wanted.get("expected_prompt_tokens").size());
      assertThat(row.get("output_tokens").asInt()).isEqualTo(wanted.get("expected_tokens").size());
    }
  }

  static List<Path> models() throws IOException {
    try (Stream<Path> folders = Files.list(GOLDEN)) {
      List<Path> models =
          folders.filter(folder -> Files.exists(folder.resolve("config.json"))).sorted().toList();
      assertThat(models).as("checkpoints in " + GOLDEN).isNotEmpty();
      return models;
    }
  }
}
