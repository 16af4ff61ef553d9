package dev.sparkmla.plugin.location;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sparkmla.plugin.location.ModelLocation.HuggingFaceId;
import dev.sparkmla.plugin.location.ModelLocation.LocalFolder;
import dev.sparkmla.plugin.location.ModelLocation.StoredFolder;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ModelLocationTest {
  @ParameterizedTest
  @ValueSource(strings = {"/models/a b", "model", "./a/b", "../a/b", "a/b/c", "a/b c", "~/m", "/"})
  void pathsAreFolders(String text) {
    assertThat(ModelLocation.parse(text))
        .isEqualTo(new LocalFolder(Path.of(text)))
        .hasToString(Path.of(text).toString());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"hdfs://host:8020/m", "s3a://bucket/m", "file:/m", "file:///m n", "hdfs:/m"})
  void whatHasASchemeIsStored(String text) {
    assertThat(ModelLocation.parse(text)).isEqualTo(new StoredFolder(text)).hasToString(text);
  }

  @Test
  void anOrganizationAndANameAreAnId() {
    assertThat(ModelLocation.parse("deepseek-ai/DeepSeek-V2-Lite"))
        .isEqualTo(new HuggingFaceId("deepseek-ai/DeepSeek-V2-Lite", Optional.empty()))
        .hasToString("deepseek-ai/DeepSeek-V2-Lite");
    assertThat(ModelLocation.parse("a/b_1.5@refs/pr/1"))
        .isEqualTo(new HuggingFaceId("a/b_1.5", Optional.of("refs/pr/1")))
        .hasToString("a/b_1.5@refs/pr/1");
  }

  @Test
  void nothingIsNowhere() {
    assertThatThrownBy(() -> ModelLocation.parse(" ")).isInstanceOf(IllegalArgumentException.class);
  }
}
