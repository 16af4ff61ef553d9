package dev.sparkmla.engine;

import static dev.sparkmla.engine.GenerationParameters.BAD_WORDS;
import static dev.sparkmla.engine.GenerationParameters.FREQUENCY_PENALTY;
import static dev.sparkmla.engine.GenerationParameters.IGNORE_EOS;
import static dev.sparkmla.engine.GenerationParameters.LOGIT_BIAS;
import static dev.sparkmla.engine.GenerationParameters.LOGPROBS;
import static dev.sparkmla.engine.GenerationParameters.MIN_P;
import static dev.sparkmla.engine.GenerationParameters.MIN_TOKENS;
import static dev.sparkmla.engine.GenerationParameters.PRESENCE_PENALTY;
import static dev.sparkmla.engine.GenerationParameters.REPETITION_PENALTY;
import static dev.sparkmla.engine.GenerationParameters.STOP_TOKEN_IDS;
import static dev.sparkmla.engine.GenerationParameters.TEMPERATURE;
import static dev.sparkmla.engine.GenerationParameters.TOP_K;
import static dev.sparkmla.engine.GenerationParameters.TOP_P;

import dev.sparkmla.arrow.ErrorCode;
import dev.sparkmla.model.GenerationDefaults;
import dev.sparkmla.policy.LogitsProcessing;
import dev.sparkmla.policy.Sampling;
import dev.sparkmla.text.SpecialTokens;
import dev.sparkmla.text.Tokenizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;

/**
 * How a row's tokens are chosen and which of them end it: what its parameters say, and the model's
 * defaults where they are silent. Thread-safe, like the tokenizer.
 */
final class RowSampling {
  /** Lower temperatures would only divide by almost nothing: they are greedy. */
  private static final float LOWEST_TEMPERATURE = 1e-5f;

  private final Tokenizer tokenizer;
  private final GenerationDefaults defaults;

  RowSampling(Tokenizer tokenizer, GenerationDefaults defaults) {
    this.tokenizer = tokenizer;
    this.defaults = defaults;
  }

  /** The tokens that end a row. */
  Set<Integer> endTokens(GenerationParameters parameters) {
    Set<Integer> tokens =
        new HashSet<>(parameters.get(IGNORE_EOS).orElse(false) ? Set.of() : defaults.endTokens());
    tokens.addAll(parameters.get(STOP_TOKEN_IDS).orElse(List.of()));
    return tokens;
  }

  /**
   * How the first of a row's tokens is chosen.
   *
   * @param seed the row's
   * @throws RowErrorException where its parameters name too many tokens
   */
  Sampling sampling(GenerationParameters parameters, long seed) {
    LogitsProcessing processing = processing(parameters);
    float temperature = parameters.get(TEMPERATURE).orElse(defaults.temperature());
    Sampling sampling =
        temperature < LOWEST_TEMPERATURE
            ? Sampling.GREEDY.withProcessing(processing)
            : new Sampling(
                temperature,
                parameters.get(TOP_K).orElse(defaults.topK()),
                parameters.get(TOP_P).orElse(defaults.topP()),
                parameters.get(MIN_P).orElse(defaults.minP()),
                seed,
                0,
                processing);
    return parameters
        .get(LOGPROBS)
        .map(count -> sampling.withLogprobs(OptionalInt.of(count)))
        .orElse(sampling);
  }

  private LogitsProcessing processing(GenerationParameters parameters) {
    try {
      return new LogitsProcessing(
          parameters.get(LOGIT_BIAS).orElse(Map.of()),
          parameters.get(REPETITION_PENALTY).orElse(defaults.repetitionPenalty()),
          parameters.get(PRESENCE_PENALTY).orElse(0f),
          parameters.get(FREQUENCY_PENALTY).orElse(0f),
          parameters.get(BAD_WORDS).orElse(List.of()).stream()
              .flatMap(word -> spellings(word).stream())
              .toList(),
          parameters.get(MIN_TOKENS).orElse(0),
          endTokens(parameters));
    } catch (IllegalArgumentException tooMany) {
      throw new RowErrorException(
          ErrorCode.INVALID_PARAMETER, "Too many tokens are named: " + tooMany.getMessage() + ".");
    }
  }

  /** The tokens of a word where a text begins with it, and where it stands after a blank. */
  private List<List<Integer>> spellings(String word) {
    List<List<Integer>> spellings = new ArrayList<>();
    for (String text : List.of(word.stripLeading(), " " + word.stripLeading())) {
      List<Integer> ids =
          Arrays.stream(tokenizer.encode(text, SpecialTokens.PARSED)).boxed().toList();
      if (!ids.isEmpty()) {
        spellings.add(ids);
      }
    }
    return spellings;
  }
}
