package dev.sparkmla.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class GenerationDefaultsTest {
  @TempDir private Path folder;

  @BeforeEach
  void config() throws IOException {
    Files.writeString(folder.resolve("config.json"), "{\"vocab_size\": 64, \"eos_token_id\": 5}");
  }

  @Test
  void aSilentOwnerMeansGreedyDecodingToTheConfigurationsEnd() {
    assertThat(read()).isEqualTo(GenerationDefaults.greedy(Set.of(5)));
  }

  @Test
  void samplingIsWhatTheOwnerSays() throws IOException {
    generation(
        "{\"do_sample\":true,\"temperature\":0.6,\"top_p\":0.95,\"top_k\":20,"
            + "\"min_p\":0.1,\"repetition_penalty\":1.2,\"eos_token_id\":[1,2]}");

    assertThat(read()).isEqualTo(new GenerationDefaults(Set.of(1, 2), 0.6f, 20, 0.95f, 0.1f, 1.2f));
  }

  @Test
  void samplingIsOffUnlessTheOwnerTurnsItOn() throws IOException {
    generation("{\"temperature\":0.6,\"top_p\":0.95}");

    assertThat(read()).isEqualTo(GenerationDefaults.greedy(Set.of(5)));
  }

  @Test
  void aPenaltyHoldsForGreedyDecodingToo() throws IOException {
    generation("{\"repetition_penalty\":1.1,\"min_p\":0.2}");

    assertThat(read()).isEqualTo(new GenerationDefaults(Set.of(5), 0, 0, 1, 0, 1.1f));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "[]",
        "{\"eos_token_id\":-1}",
        "{\"eos_token_id\":64}",
        "{\"eos_token_id\":[1,99999999999]}",
        "{\"eos_token_id\":[1,\"2\"]}",
        "{\"do_sample\":1}",
        "{\"do_sample\":true,\"temperature\":-1}",
        "{\"do_sample\":true,\"top_p\":0}",
        "{\"do_sample\":true,\"top_p\":1.5}",
        "{\"do_sample\":true,\"top_k\":-1}",
        "{\"do_sample\":true,\"min_p\":1.5}",
        "{\"repetition_penalty\":0}"
      })
  void aValueThatCannotBeIsNamed(String content) throws IOException {
    generation(content);

    assertThatThrownBy(() -> read())
        .isInstanceOf(ModelFormatException.class)
        .hasMessageContaining("generation_config.json");
  }

  private GenerationDefaults read() {
    return GenerationDefaults.read(folder, JsonFields.read(folder.resolve("config.json")));
  }

  private void generation(String content) throws IOException {
    Files.writeString(folder.resolve("generation_config.json"), content);
  }
}
