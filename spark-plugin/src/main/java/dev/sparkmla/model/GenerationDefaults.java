package dev.sparkmla.model;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What generation_config.json (and, where it is silent, config.json) says about generating.
 *
 * @param endTokens ids that end a generation; they are not part of the text
 * @param temperature 0 when the model's owner asks for greedy decoding or says nothing
 * @param topK 0 when not limited
 * @param topP 1 when not limited
 * @param minP 0 when not limited
 * @param repetitionPenalty 1 when there is none
 */
public record GenerationDefaults(
    Set<Integer> endTokens,
    float temperature,
    int topK,
    float topP,
    float minP,
    float repetitionPenalty) {
  private static final Logger LOGGER = LoggerFactory.getLogger(GenerationDefaults.class);

  /** Parameters that would change what is generated, with the values that would not. */
  private static final Map<String, Object> UNSUPPORTED =
      Map.ofEntries(
          Map.entry("encoder_repetition_penalty", 1),
          Map.entry("no_repeat_ngram_size", 0),
          Map.entry("encoder_no_repeat_ngram_size", 0),
          Map.entry("top_h", 0),
          Map.entry("typical_p", 1),
          Map.entry("epsilon_cutoff", 0),
          Map.entry("eta_cutoff", 0),
          Map.entry("num_beams", 1),
          Map.entry("penalty_alpha", 0),
          Map.entry("guidance_scale", 1),
          Map.entry("min_length", 0),
          Map.entry("min_new_tokens", 0),
          Map.entry("remove_invalid_values", false),
          Map.entry("renormalize_logits", false),
          Map.entry("bad_words_ids", List.of()),
          Map.entry("suppress_tokens", List.of()),
          Map.entry("begin_suppress_tokens", List.of()),
          Map.entry("sequence_bias", List.of()),
          Map.entry("stop_strings", List.of()),
          Map.entry("forced_bos_token_id", List.of()),
          Map.entry("forced_eos_token_id", List.of()),
          Map.entry("exponential_decay_length_penalty", List.of()),
          Map.entry("watermarking_config", List.of()));

  /** Copies the set. */
  public GenerationDefaults {
    endTokens = Set.copyOf(endTokens);
  }

  /** Greedy decoding up to one of these tokens. */
  public static GenerationDefaults greedy(Set<Integer> endTokens) {
    return new GenerationDefaults(endTokens, 0, 0, 1, 0, 1);
  }

  /**
   * Reads generation_config.json, and warns of what it asks for that is not supported.
   *
   * @param folder the model folder
   * @param config its config.json: for the end tokens where generation_config.json names none, and
   *     for everything where there is no such file
   * @throws ModelFormatException when the file is not JSON or a value is out of its range
   */
  static GenerationDefaults read(Path folder, JsonFields config) {
    Path file = folder.resolve("generation_config.json");
    JsonFields generation = Files.exists(file) ? JsonFields.read(file) : config;
    warnOfUnsupported(generation);
    int vocabulary = config.integer("vocab_size", 1, Integer.MAX_VALUE);
    Set<Integer> configured = config.tokenIds("eos_token_id", vocabulary);
    Set<Integer> own = generation.tokenIds("eos_token_id", vocabulary);
    Set<Integer> endTokens = own.isEmpty() ? configured : own;
    float penalty = (float) generation.number("repetition_penalty", 1, Float.MIN_VALUE, 1e6);
    if (!generation.flag("do_sample", false)) {
      return new GenerationDefaults(endTokens, 0, 0, 1, 0, penalty);
    }
    return new GenerationDefaults(
        endTokens,
        (float) generation.number("temperature", 1, 0, 100),
        generation.integer("top_k", 0, 0, Integer.MAX_VALUE),
        (float) generation.number("top_p", 1, Float.MIN_VALUE, 1),
        (float) generation.number("min_p", 0, 0, 1),
        penalty);
  }

  private static void warnOfUnsupported(JsonFields generation) {
    List<String> asked =
        UNSUPPORTED.entrySet().stream()
            .filter(parameter -> generation.differs(parameter.getKey(), parameter.getValue()))
            .map(Map.Entry::getKey)
            .sorted()
            .toList();
    if (!asked.isEmpty()) {
      LOGGER.warn(
          "{}: {} not supported; texts are generated without",
          generation.file(),
          String.join(", ", asked) + (asked.size() == 1 ? " is" : " are"));
    }
  }
}
