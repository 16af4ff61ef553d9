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

  private final byte[] weights = new byte[(33 << 20) + 5];

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
  void findsOneBitWhereverItIs() throws IOException {
    ModelFingerprint before = ModelFingerprint.of(folder);
    Random random = new Random(2);
    for (int at : new int[] {0, random.nextInt(weights.length), weights.length - 1}) {
      weights[at] ^= (byte) (1 << random.nextInt(8));
      Files.write(folder.resolve(WEIGHTS), weights);

      ModelFingerprint now = ModelFingerprint.of(folder);

      assertThat(now.differences(before)).as("byte %d", at).containsExactly(WEIGHTS);
      before = now;
    }
  }
}
