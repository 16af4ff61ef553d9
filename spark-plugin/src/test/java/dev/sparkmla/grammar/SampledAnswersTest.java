package dev.sparkmla.grammar;

import static org.assertj.core.api.Assertions.assertThat;

import com.networknt.schema.InputFormat;
import dev.sparkmla.arrow.ArrowMemory;
import dev.sparkmla.arrow.FinishReason;
import dev.sparkmla.arrow.GenerationRequest;
import dev.sparkmla.arrow.GenerationResult;
import dev.sparkmla.arrow.OverflowPolicy;
import dev.sparkmla.arrow.Prompt;
import dev.sparkmla.compute.ComputeBackend;
import dev.sparkmla.compute.ComputeBackends;
import dev.sparkmla.engine.EngineOptions;
import dev.sparkmla.engine.GenerationEngine;
import dev.sparkmla.engine.ModelFolder;
import dev.sparkmla.model.CacheSize;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/**
 * Answers that a model has sampled under each schema, at a temperature at which it would say almost
 * anything, against a validator that knows nothing of this package.
 */
class SampledAnswersTest {
  private static final Path MODEL = Path.of("..", "jobs", "demo-model", "model");

  @RegisterExtension static final ArrowMemory MEMORY = new ArrowMemory();

  @Test
  void areValid() {
    List<SchemaCases.SchemaCase> cases =
        SchemaCases.all().stream().filter(each -> !each.valid().isEmpty()).toList();
    int finished = 0;
    try (ComputeBackend backend = ComputeBackends.cpu(2);
        ModelFolder folder = new ModelFolder(MODEL);
        GenerationEngine engine =
            GenerationEngine.open(
                folder, backend, new EngineOptions(256, 32, new CacheSize.Blocks(160), 64))) {
      List<CompletableFuture<GenerationResult>> answers =
          cases.stream().map(each -> MEMORY.submit(engine::submit, request(each))).toList();
      for (int i = 0; i < cases.size(); i++) {
        String schema = cases.get(i).schema().toString();
        GenerationResult answer = answers.get(i).join();
        assertThat(answer.error()).as(schema).isEmpty();
        if (answer.finishReason() == FinishReason.STOP) {
          finished++;
          assertThat(
                  SchemaCases.validator(cases.get(i).schema())
                      .validate(answer.text(), InputFormat.JSON))
              .as("schema %s, answer %s", schema, answer.text())
              .isEmpty();
        }
      }
    }
    assertThat(cases.size()).isGreaterThanOrEqualTo(300);
    assertThat(finished).isGreaterThanOrEqualTo(cases.size() / 2);
  }

  private static GenerationRequest request(SchemaCases.SchemaCase each) {
    return new GenerationRequest(
        new Prompt.Raw("A value, please:"),
        Optional.empty(),
        Map.of(
            "temperature", "2", "max_tokens", "120", "response_format", each.schema().toString()),
        OverflowPolicy.ERROR);
  }
}
