package dev.sparkmla.plugin;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sparkmla.cuda.MlaShape;
import dev.sparkmla.cuda.SplitPolicy;
import dev.sparkmla.plugin.location.ModelLocation;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.apache.spark.SparkConf;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class MlaConfTest {
  @Test
  void readsDefaults() {
    MlaConf conf = MlaConf.of(Map.of());
    for (ConfEntry<?> entry : MlaConf.entries()) {
      if (entry.defaultText().isPresent()) {
        assertThat(conf.get(entry)).as(entry.key()).isNotNull();
      }
    }
    assertThat(conf.get(MlaConf.BACKEND)).isEqualTo(BackendChoice.AUTO);
    assertThat(conf.get(MlaConf.DEVICE)).isEmpty();
    assertThat(conf.get(MlaConf.GPU_LOCK_DIR)).isEqualTo(Path.of("/tmp"));
    assertThat(conf.get(MlaConf.CACHE_SIZE)).isEqualTo(1L << 30);
    assertThat(conf.get(MlaConf.MODEL_CACHE_DIR))
        .isEqualTo(Path.of(System.getProperty("user.home"), ".cache", "spark-mla", "models"));
  }

  @Test
  void readsWhatIsSet() {
    SparkConf spark =
        new SparkConf(false)
            .set("spark.mla.model.path", "/models/a b")
            .set("spark.mla.backend", "cpu")
            .set("spark.mla.device", " 3, 0 ")
            .set("spark.mla.kvcache.size", "512m")
            .set("spark.mla.kvcache.memoryFraction", "0.5")
            .set("spark.sql.shuffle.partitions", "many");
    MlaConf conf = MlaConf.of(spark);
    assertThat(conf.get(MlaConf.MODEL_PATH))
        .isEqualTo(new ModelLocation.LocalFolder(Path.of("/models/a b")));
    assertThat(conf.get(MlaConf.BACKEND)).isEqualTo(BackendChoice.CPU);
    assertThat(conf.get(MlaConf.DEVICE)).containsExactly(3, 0);
    assertThat(conf.get(MlaConf.CACHE_SIZE)).isEqualTo(512L << 20);
    assertThat(conf.get(MlaConf.CACHE_MEMORY_FRACTION)).isEqualTo(0.5);
  }

  @ParameterizedTest
  @CsvSource({
    "spark.mla.backend, gpu",
    "spark.mla.device, -1",
    "spark.mla.device, first",
    "spark.mla.device, '0,'",
    "spark.mla.device, '1,1'",
    "spark.mla.cpu.threads, 0",
    "spark.mla.kvcache.memoryFraction, 0",
    "spark.mla.kvcache.memoryFraction, 1.01",
    "spark.mla.kvcache.memoryFraction, NaN",
    "spark.mla.kvcache.size, 1k",
    "spark.mla.kvcache.size, much",
    "spark.mla.kvcache.size, 99999999999999999999g",
    "spark.mla.engine.maxBatchedTokens, 0",
    "spark.mla.engine.maxBatchedTokens, 262145",
    "spark.mla.engine.maxSequences, 0",
    "spark.mla.engine.maxSequences, 32769",
    "spark.mla.generation.maxTokens, 0",
    "spark.mla.batch.rows, 65537",
    "spark.mla.batch.bytes, 2g",
    "spark.mla.window.bytes, 65g",
  })
  void refusesAWrongValue(String key, String value) {
    assertThatThrownBy(() -> MlaConf.of(Map.of(key, value)))
        .isInstanceOf(InvalidConfigurationException.class)
        .hasMessageStartingWith(key + " is '" + value + "': expected ");
  }

  /** A decode step of so many rows, which the backend may fill up to a multiple of 64. */
  @Test
  void allowsNoMoreSequencesThanTheKernelTakes() {
    int most =
        MlaConf.of(Map.of("spark.mla.engine.maxSequences", "32768")).get(MlaConf.MAX_SEQUENCES);
    assertThat(new MlaShape(most, 1, 16, 1, 512, 64, 1, SplitPolicy.BY_LENGTH).batch())
        .isEqualTo(most);
    assertThat(most % 64).isZero();
  }

  @Test
  void refusesAnUnknownKey() {
    assertThatThrownBy(() -> MlaConf.of(Map.of("spark.mla.modelPath", "x")))
        .isInstanceOf(InvalidConfigurationException.class)
        .hasMessageStartingWith(
            "spark.mla.modelPath is 'x': expected one of the settings there are")
        .hasMessageContaining("spark.mla.model.path");
  }

  @Test
  void letsASessionChangeWhatItMay() {
    SparkConf application = new SparkConf(false).set("spark.mla.backend", "cpu");
    Map<String, String> session =
        Map.of("spark.mla.backend", "cpu", "spark.mla.batch.rows", "7", "spark.app.name", "x");
    assertThat(MlaConf.of(session, application).get(MlaConf.BATCH_ROWS)).isEqualTo(7);
    assertThatThrownBy(() -> MlaConf.of(Map.of("spark.mla.backend", "cuda"), application))
        .isInstanceOf(InvalidConfigurationException.class)
        .hasMessageContaining("it cannot change later");
  }

  @Test
  void namesARequiredSettingThatIsMissing() {
    assertThatThrownBy(() -> MlaConf.of(Map.of()).get(MlaConf.MODEL_PATH))
        .isInstanceOf(InvalidConfigurationException.class)
        .hasMessageStartingWith("spark.mla.model.path is not set: expected a Hugging Face");
  }

  @Test
  void isWhatTheConfigurationPageSays() throws IOException {
    Path page = Path.of("..", "docs", "configuration.md");
    assertThat(Files.readString(page))
        .as(
            "docs/configuration.md is stale: run the main class %s with its path",
            ConfigurationDoc.class.getName())
        .isEqualTo(ConfigurationDoc.page());
  }
}
