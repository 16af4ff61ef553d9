package dev.sparkmla.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sparkmla.model.GenerationDefaults;
import dev.sparkmla.model.ModelConfig;
import dev.sparkmla.model.ModelFormatException;
import dev.sparkmla.model.Weights;
import dev.sparkmla.text.PromptText;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ModelFolderTest {
  private static final Set<String> TEXT_FILES = Set.of("tokenizer.json", "tokenizer_config.json");

  @TempDir private Path path;

  @BeforeEach
  void copyModel() throws IOException {
    for (Path file : files(DemoText.FOLDER)) {
      if (Files.isRegularFile(file)) {
        Files.copy(file, path.resolve(file.getFileName()));
      }
    }
  }

  private static List<Path> files(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.toList();
    }
  }

  @Test
  void readsEveryFileOnceForAllWhoAsk() throws IOException {
    try (ModelFolder folder = new ModelFolder(path)) {
      List<CompletableFuture<PromptText>> asked =
          Stream.generate(() -> CompletableFuture.supplyAsync(folder::text)).limit(4).toList();
      PromptText text = asked.get(0).join();
      ModelConfig config = folder.config();
      for (Path file : files(path)) {
        Files.delete(file);
      }

      assertThat(asked).allSatisfy(one -> assertThat(one.join()).isSameAs(text));
      assertThat(folder.text()).isSameAs(text);
      assertThat(folder.config()).isSameAs(config);
      assertThat(config.generation().endTokens()).isNotEmpty();
      assertThat(text.countTokens("one two")).isPositive();
    }
  }

  /** A driver counts tokens where there may be nothing else. */
  @Test
  void saysWhichPartOfTheWeightsWasRead() {
    try (ModelFolder folder = new ModelFolder(path)) {
      assertThat(folder.readPart()).isZero();
      try (Weights weights = folder.openWeights()) {
        assertThat(folder.readPart()).isZero();
        int rows = folder.config().vocabularySize();
        int columns = folder.config().hiddenSize();
        weights.matrix("model.embed_tokens.weight", rows, columns);

        assertThat(folder.readPart()).isEqualTo(2.0 * rows * columns / weights.size());
      }
      assertThat(folder.readPart()).isBetween(0.01, 0.99);
    }
  }

  /**
   * Loaded, an element takes two bytes at most; a file that the index does not name is not loaded.
   */
  @Test
  void weightBytesAreThoseOfAllFilesOfAnIndexOnceTheyAreLoaded() throws IOException {
    Files.delete(path.resolve("model.safetensors"));
    writeTensor("one.safetensors", "a", "BF16", 2, 7);
    writeTensor("two.safetensors", "b", "F32", 4, 5);
    writeTensor("three.safetensors", "c", "F8_E4M3", 1, 3);
    writeTensor("beside.safetensors", "d", "BF16", 2, 100);
    Files.writeString(
        path.resolve("model.safetensors.index.json"),
        "{\"weight_map\": {\"a\": \"one.safetensors\", \"b\": \"two.safetensors\","
            + " \"c\": \"three.safetensors\"}}");
    try (ModelFolder folder = new ModelFolder(path)) {
      assertThat(folder.weightBytes()).isEqualTo(2 * 7 + 2 * 5 + 3);
      assertThat(folder.readPart()).isZero();

      Files.delete(path.resolve("two.safetensors"));
      assertThatThrownBy(folder::weightBytes)
          .isInstanceOf(ModelFormatException.class)
          .hasMessageContaining("two.safetensors");
    }
  }

  @Test
  void weightBytesAreThoseOfTheSingleFileWhereThereIsOne() throws IOException {
    writeTensor("model.safetensors", "a", "F16", 2, 9);
    writeTensor("beside.safetensors", "d", "BF16", 2, 100);
    Files.writeString(
        path.resolve("model.safetensors.index.json"),
        "{\"weight_map\": {\"d\": \"beside.safetensors\"}}");
    try (ModelFolder folder = new ModelFolder(path)) {
      assertThat(folder.weightBytes()).isEqualTo(2 * 9);
    }
  }

  @Test
  void weightBytesOfAFolderWithoutWeightsNameIt() throws IOException {
    Files.delete(path.resolve("model.safetensors"));
    try (ModelFolder folder = new ModelFolder(path)) {
      assertThatThrownBy(folder::weightBytes)
          .isInstanceOf(ModelFormatException.class)
          .hasMessageContaining(path.toString())
          .hasMessageContaining("has neither model.safetensors nor");
    }
  }

  /** Writes a file of one tensor, a vector of zeros. */
  private void writeTensor(String file, String name, String type, int elementBytes, int elements)
      throws IOException {
    int bytes = elementBytes * elements;
    byte[] header =
        "{\"%s\":{\"dtype\":\"%s\",\"shape\":[%d],\"data_offsets\":[0,%d]}}"
            .formatted(name, type, elements, bytes)
            .getBytes(StandardCharsets.UTF_8);
    Files.write(
        path.resolve(file),
        ByteBuffer.allocate(Long.BYTES + header.length + bytes)
            .order(ByteOrder.LITTLE_ENDIAN)
            .putLong(header.length)
            .put(header)
            .array());
  }

  @Test
  void theTextNeedsNoOtherFiles() throws IOException {
    for (Path file : files(path)) {
      if (!TEXT_FILES.contains(file.getFileName().toString())) {
        Files.delete(file);
      }
    }
    try (ModelFolder folder = new ModelFolder(path)) {
      assertThat(folder.text().countTokens("one two")).isPositive();
      assertThatThrownBy(folder::config)
          .isInstanceOf(ModelFormatException.class)
          .hasMessageContaining("config.json: is missing");
      assertThatThrownBy(folder::openWeights).isInstanceOf(ModelFormatException.class);
    }
  }

  @Test
  void whatCouldNotBeReadIsReadAgain() throws IOException {
    Path config = path.resolve("config.json");
    Path aside = path.resolve("aside");
    Files.move(config, aside);
    try (ModelFolder folder = new ModelFolder(path)) {
      assertThatThrownBy(folder::config).isInstanceOf(ModelFormatException.class);
      Files.move(aside, config);
      assertThat(folder.config()).isEqualTo(ModelConfig.read(DemoText.FOLDER));
    }
  }

  @Test
  void closingClosesTheTokenizerOnce() {
    ModelFolder folder = new ModelFolder(path);
    PromptText text = folder.text();
    folder.close();
    folder.close();

    assertThatThrownBy(() -> text.countTokens("one two")).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(folder::text)
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("is closed");
  }

  @Test
  void configurationAndGenerationAreReadTogether() throws IOException {
    Files.writeString(
        path.resolve("generation_config.json"),
        "{\"do_sample\": true, \"temperature\": 0.5, \"eos_token_id\": 3}");
    try (ModelFolder folder = new ModelFolder(path)) {
      assertThat(folder.config().generation())
          .isEqualTo(new GenerationDefaults(Set.of(3), 0.5f, 0, 1, 0, 1));
    }
  }

  /** A download that did not end: without the check, the template or the sampling would be lost. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "chat_template.jinja",
        "generation_config.json",
        "tokenizer_config.json",
        "config.json"
      })
  void aLinkToNothingIsAnError(String name) throws IOException {
    Path file = path.resolve(name);
    for (Path target : List.of(Path.of("..", "blobs", "gone"), file)) {
      Files.deleteIfExists(file);
      Files.createSymbolicLink(file, target);
      try (ModelFolder folder = new ModelFolder(path)) {
        assertThatThrownBy(folder::text)
            .isInstanceOf(ModelFormatException.class)
            .hasMessageContaining(name + ": is a link to ")
            .hasMessageContaining("download the model again");
        assertThatThrownBy(folder::config).isInstanceOf(ModelFormatException.class);
      }
    }
  }

  @Test
  void aPointerOfGitLfsIsNamedAsOne() throws IOException {
    Files.writeString(
        path.resolve("model.safetensors"),
        "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 123456789\n");
    try (ModelFolder folder = new ModelFolder(path)) {
      assertThatThrownBy(folder::config)
          .isInstanceOf(ModelFormatException.class)
          .hasMessageContaining("model.safetensors: is a Git LFS pointer")
          .hasMessageContaining("git lfs pull");
    }
  }

  @Test
  void aFolderThatIsNoneIsNamed() {
    for (Path none : List.of(path.resolve("none"), path.resolve("config.json"))) {
      try (ModelFolder folder = new ModelFolder(none)) {
        assertThatThrownBy(folder::config)
            .isInstanceOf(ModelFormatException.class)
            .hasMessageContaining(none.toString())
            .hasMessageContaining("expected a model folder");
      }
    }
  }

  /** What a script that casts weights to bf16 leaves: the tensors' types decide. */
  @ParameterizedTest
  @ValueSource(strings = {"fp8", "awq", "gptq", "bitsandbytes"})
  void aQuantizationThatIsOnlySaidIsNoReasonToRefuse(String method) throws IOException {
    Path config = path.resolve("config.json");
    Files.writeString(
        config,
        Files.readString(config)
            .replaceFirst(
                "\\{", "{\"quantization_config\": {\"quant_method\": \"" + method + "\"},"));
    try (ModelFolder folder = new ModelFolder(path)) {
      assertThat(folder.config()).isEqualTo(ModelConfig.read(DemoText.FOLDER));
    }
  }
}
