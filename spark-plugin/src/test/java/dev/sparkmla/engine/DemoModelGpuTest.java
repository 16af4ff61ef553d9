package dev.sparkmla.engine;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.sparkmla.arrow.ArrowMemory;
import dev.sparkmla.arrow.GenerationRequest;
import dev.sparkmla.arrow.GenerationResult;
import dev.sparkmla.arrow.OverflowPolicy;
import dev.sparkmla.arrow.Prompt;
import dev.sparkmla.compute.ComputeBackend;
import dev.sparkmla.compute.ComputeBackends;
import dev.sparkmla.cuda.GpuDevice;
import dev.sparkmla.model.CacheSize;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The engine over the trained demo model on a GPU: a wrong page or position is a wrong answer. */
@Tag("gpu")
class DemoModelGpuTest {
  @RegisterExtension static final ArrowMemory MEMORY = new ArrowMemory();

  private static final Path SAMPLES = Path.of("..", "jobs", "sample-data");
  private static final ObjectMapper JSON = new ObjectMapper();

  /** Some answers hang on less than bf16 holds; a mistake would spoil many more. */
  private static final double RIGHT = 0.95;

  @ParameterizedTest(name = "{0}: {1} tokens a step, {2} sequences")
  @CsvSource({
    "documents.jsonl, 4096, 64",
    "documents.jsonl, 333, 64",
    "documents.jsonl, 2048, 1",
    "long-documents.jsonl, 8192, 64",
    "long-documents.jsonl, 1000, 1"
  })
  void answersDocuments(String file, int stepTokens, int sequences) throws IOException {
    List<String> expected = new ArrayList<>();
    List<CompletableFuture<GenerationResult>> answers = new ArrayList<>();
    EngineOptions options =
        new EngineOptions(stepTokens, sequences, new CacheSize.Blocks(8000), 32);
    int right = 0;
    try (ComputeBackend backend = ComputeBackends.cuda(GpuDevice.at(0));
        ModelFolder folder = new ModelFolder(DemoText.FOLDER);
        GenerationEngine engine = GenerationEngine.open(folder, backend, options)) {
      // Twice, so that a file of fewer rows than sequences fills them.
      for (int time = 0; time < 2; time++) {
        for (String line : Files.readAllLines(SAMPLES.resolve(file))) {
          JsonNode row = JSON.readTree(line);
          expected.add(row.required("expected").textValue());
          answers.add(
              MEMORY.submit(
                  engine::submit,
                  new GenerationRequest(
                      new Prompt.Chat(DemoText.conversation(row.required("prompt"))),
                      Optional.empty(),
                      Map.of("max_tokens", "32"),
                      OverflowPolicy.ERROR)));
        }
      }
      for (int i = 0; i < answers.size(); i++) {
        right += answers.get(i).join().text().equals(expected.get(i)) ? 1 : 0;
      }
    }
    assertThat(right).isGreaterThanOrEqualTo((int) Math.ceil(RIGHT * expected.size()));
  }
}
