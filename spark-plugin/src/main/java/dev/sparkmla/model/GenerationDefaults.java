package dev.sparkmla.model;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;

/**
 * What generation_config.json (and, where it is silent, config.json) says about generating.
 *
 * @param endTokens ids that end a generation; they are not part of the text
 * @param temperature 0 when the model's owner asks for greedy decoding or says nothing
 * @param topK 0 when not limited
 * @param topP 1 when not limited
 */
public record GenerationDefaults(Set<Integer> endTokens, float temperature, int topK, float topP) {
  /** Copies the set. */
  public GenerationDefaults {
    endTokens = Set.copyOf(endTokens);
  }

  /** Greedy decoding up to one of these tokens. */
  public static GenerationDefaults greedy(Set<Integer> endTokens) {
    return new GenerationDefaults(endTokens, 0, 0, 1);
  }

  /**
   * Reads generation_config.json.
   *
   * @param folder the model folder
   * @param config its config.json: for the end tokens where generation_config.json names none, and
   *     for everything where there is no such file
   * @throws ModelFormatException when the file is not JSON or a value is out of its range
   */
  static GenerationDefaults read(Path folder, JsonFields config) {
    Path file = folder.resolve("generation_config.json");
    JsonFields generation = Files.exists(file) ? JsonFields.read(file) : config;
    Set<Integer> endTokens = generation.tokenIds("eos_token_id");
    if (endTokens.isEmpty()) {
      endTokens = config.tokenIds("eos_token_id");
    }
    if (!generation.flag("do_sample", false)) {
      return greedy(endTokens);
    }
    return new GenerationDefaults(
        endTokens,
        (float) generation.number("temperature", 1, 0, 100),
        generation.integer("top_k", 0, 0, Integer.MAX_VALUE),
        (float) generation.number("top_p", 1, Float.MIN_VALUE, 1));
  }
}
