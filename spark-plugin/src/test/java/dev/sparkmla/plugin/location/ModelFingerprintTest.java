package dev.sparkmla.plugin.location;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ModelFingerprintTest {
  private static final String WEIGHTS = "model.safetensors";

  @TempDir Path folder;

  private final byte[] weights = new byte[9 << 20];

  @BeforeEach
  void write() throws IOException {
    new Random(1).nextBytes(weights);
    Files.write(folder.resolve(WEIGHTS), weights);
    Files.writeString(folder.resolve("config.json"), "{}");
    Files.writeString(folder.resolve("tokenizer.json"), "{}");
  }

  @Test
  void isTheSameForTheSameFilesAndPassesOverWhatIsNoModels() throws IOException {
    ModelFingerprint before = ModelFingerprint.of(folder);
    Files.writeString(folder.resolve("README.md"), "new");
    Files.writeString(folder.resolve(".spark-mla-copy.json"), "{}");

    assertThat(ModelFingerprint.of(folder)).isEqualTo(before);
    assertThat(before.files()).containsOnlyKeys("config.json", "tokenizer.json", WEIGHTS);
  }

  @Test
  void namesFilesThatDifferAndThatAreMissing() throws IOException {
    ModelFingerprint before = ModelFingerprint.of(folder);
    for (int i = 0; i < weights.length; i += 2) {
      weights[i] ^= 1; // the low bits of 16-bit weights, and the size stays
    }
    Files.write(folder.resolve(WEIGHTS), weights);
    Files.delete(folder.resolve("tokenizer.json"));

    ModelFingerprint now = ModelFingerprint.of(folder);

    assertThat(now.differences(before)).containsExactly(WEIGHTS, "tokenizer.json");
    assertThat(before.differences(now)).containsExactly(WEIGHTS, "tokenizer.json");
  }

  @Test
  void readsTheLastBytesOfWeights() throws IOException {
    ModelFingerprint before = ModelFingerprint.of(folder);
    weights[weights.length - 1] ^= 1;
    Files.write(folder.resolve(WEIGHTS), weights);

    assertThat(ModelFingerprint.of(folder).differences(before)).containsExactly(WEIGHTS);
  }
}
