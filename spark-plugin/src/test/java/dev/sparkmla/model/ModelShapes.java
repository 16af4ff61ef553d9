package dev.sparkmla.model;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * The sizes of published models, for models with {@link RandomParameters}: their config.json, which
 * lies among the test resources in {@code shapes/NAME}. Other engines that are measured beside this
 * one read the same file.
 */
public enum ModelShapes {
  /** deepseek-ai/DeepSeek-V2-Lite: 15.7 billion parameters. */
  DEEPSEEK_V2_LITE("deepseek-v2-lite"),

  /** moonshotai/Moonlight-16B-A3B: 16 billion parameters. */
  MOONLIGHT_16B_A3B("moonlight-16b-a3b"),

  /**
   * deepseek-ai/DeepSeek-V3: its 3 dense layers and 3 of its 58 sparse ones, 40 billion parameters.
   */
  DEEPSEEK_V3_OF_6_LAYERS("deepseek-v3-of-6-layers"),

  /** zai-org/GLM-4.7-Flash: 30 billion parameters. */
  GLM_4_7_FLASH("glm-4.7-flash"),

  /** tencent/Youtu-LLM-2B: 2 billion parameters. */
  YOUTU_LLM_2B("youtu-llm-2b");

  private final String spelling;
  private final ModelConfig config;

  ModelShapes(String spelling) {
    this.spelling = spelling;
    this.config = read(spelling);
  }

  /** The reader of config.json wants a folder, and a resource may lie in a jar. */
  private static ModelConfig read(String name) {
    try {
      Path folder = Files.createTempDirectory("shapes");
      Path copy = folder.resolve("config.json");
      try (InputStream file =
          ModelShapes.class.getResourceAsStream("/shapes/" + name + "/config.json")) {
        Files.copy(file, copy);
        return ModelConfig.read(folder);
      } finally {
        Files.deleteIfExists(copy);
        Files.delete(folder);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The model that is called so, as its folder is. */
  public static Optional<ModelShapes> named(String name) {
    return Arrays.stream(values()).filter(shapes -> shapes.spelling.equals(name)).findFirst();
  }

  /** The names of all. */
  public static Stream<String> names() {
    return Arrays.stream(values()).map(ModelShapes::toString);
  }

  /** The sizes. */
  public ModelConfig config() {
    return config;
  }

  /** The sizes, but for the number of layers and the context window. */
  public ModelConfig config(int layers, int contextWindow) {
    return new ModelConfig(
        config.architecture(),
        config.vocabularySize(),
        config.hiddenSize(),
        layers,
        config.heads(),
        config.queryRank(),
        config.cacheShape(),
        config.nopeSize(),
        config.valueSize(),
        config.attentionBias(),
        config.intermediateSize(),
        config.normEpsilon(),
        config.latentNormEpsilon(),
        config.tiedEmbedding(),
        contextWindow,
        config.rope(),
        config.queryGrowth(),
        config.scales(),
        config.experts(),
        config.generation());
  }

  @Override
  public String toString() {
    return spelling;
  }
}
