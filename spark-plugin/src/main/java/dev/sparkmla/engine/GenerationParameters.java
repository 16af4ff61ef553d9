package dev.sparkmla.engine;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.sparkmla.grammar.InvalidResponseFormatException;
import dev.sparkmla.grammar.ResponseFormat;
import dev.sparkmla.grammar.WhiteSpace;
import dev.sparkmla.policy.Sampling;
import dev.sparkmla.text.ChatTemplate;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.function.Predicate;

/**
 * A request's generation parameters, and the table of those there are: parser, error messages and
 * the table in docs/sql.md are made from it. Numbers are written as in Java, with a point, and
 * blanks around them do not matter. Immutable.
 */
public final class GenerationParameters {
  private static final ObjectMapper JSON =
      new ObjectMapper().enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);
  private static final String MODELS = "the model's generation_config.json";

  private static final List<GenerationParameter<?>> ALL = new ArrayList<>();

  /** Tokens to generate at most. */
  public static final GenerationParameter<TokenLimit> MAX_TOKENS =
      add(
          "max_tokens",
          List.of("max_new_tokens", "max_completion_tokens"),
          "an integer from 1 to " + Integer.MAX_VALUE + ", or auto",
          "`spark.mla.generation.maxTokens`",
          "How many tokens are generated at most; auto is as many as the context window and the"
              + " cache have room for after the prompt",
          GenerationParameters::parseLimit);

  /** What logits are divided by. */
  public static final GenerationParameter<Float> TEMPERATURE =
      number(
          "temperature",
          "a finite number ≥ 0",
          value -> value >= 0,
          MODELS,
          "Divides the logits before sampling; 0 chooses the likeliest token");

  /** How many of the likeliest tokens are sampled from. */
  public static final GenerationParameter<Integer> TOP_K =
      integer(
          "top_k",
          0,
          Integer.MAX_VALUE,
          MODELS,
          "Samples from so many of the likeliest tokens; 0 is no limit");

  /** The probability that the tokens sampled from have together. */
  public static final GenerationParameter<Float> TOP_P =
      number(
          "top_p",
          "a number above 0, at most 1",
          value -> value > 0 && value <= 1,
          MODELS,
          "Samples from the likeliest tokens that together have this probability");

  /** The least part of the largest probability that a token sampled from has. */
  public static final GenerationParameter<Float> MIN_P =
      number(
          "min_p",
          "a number from 0 to 1",
          value -> value >= 0 && value <= 1,
          MODELS,
          "Samples from tokens that have at least this part of the likeliest token's probability");

  /** What logits of tokens in prompt and output are divided by. */
  public static final GenerationParameter<Float> REPETITION_PENALTY =
      number(
          "repetition_penalty",
          "a number above 0",
          value -> value > 0,
          MODELS,
          "Divides the logits of tokens in prompt and output where they are positive, and multiplies"
              + " them where they are not");

  /** What is subtracted from logits of tokens in the output. */
  public static final GenerationParameter<Float> PRESENCE_PENALTY =
      number(
          "presence_penalty",
          "a number from -2 to 2",
          value -> Math.abs(value) <= 2,
          "0",
          "Is subtracted from the logits of tokens in the output");

  /** What is subtracted from logits of tokens in the output for each time. */
  public static final GenerationParameter<Float> FREQUENCY_PENALTY =
      number(
          "frequency_penalty",
          "a number from -2 to 2",
          value -> Math.abs(value) <= 2,
          "0",
          "Is subtracted from the logits of tokens in the output for each time that they occur");

  /** What is added to the logits of tokens. */
  public static final GenerationParameter<Map<Integer, Float>> LOGIT_BIAS =
      add(
          "logit_bias",
          "a JSON object of token ids and numbers from -100 to 100",
          "none",
          "Is added to the logits of the tokens with these ids",
          GenerationParameters::parseBias);

  /** Texts that are not generated. */
  public static final GenerationParameter<List<String>> BAD_WORDS =
      add(
          "bad_words",
          "a text that is not empty, or a JSON array of such texts if it begins with [",
          "none",
          "Texts whose tokens are not generated one after the other",
          GenerationParameters::parseTexts);

  /** Tokens before which a generation does not end. */
  public static final GenerationParameter<Integer> MIN_TOKENS =
      integer(
          "min_tokens",
          0,
          Integer.MAX_VALUE,
          "0",
          "How many tokens are generated before one that ends the generation; a text of `stop` ends it"
              + " all the same");

  /** Whether the model's end tokens are tokens like any other. */
  public static final GenerationParameter<Boolean> IGNORE_EOS =
      flag("ignore_eos", "false", "Goes on after the model's end tokens");

  /** Tokens that end the generation. */
  public static final GenerationParameter<List<Integer>> STOP_TOKEN_IDS =
      add(
          "stop_token_ids",
          "a token id, or a JSON array of token ids",
          "none",
          "Tokens that end the generation, beside the model's end tokens",
          GenerationParameters::parseIds);

  /** Texts that end the generation when they appear. */
  public static final GenerationParameter<List<String>> STOP =
      add(
          "stop",
          "a text that is not empty, or a JSON array of such texts if it begins with [",
          "none",
          "Texts that end the generation when they appear",
          GenerationParameters::parseTexts);

  /** Whether the result holds what ended the generation. */
  public static final GenerationParameter<Boolean> INCLUDE_STOP =
      flag(
          "include_stop",
          "false",
          "Keeps the stop text, or the token, that ended the generation as the end of the text");

  /** Whether special tokens leave no text. */
  public static final GenerationParameter<Boolean> SKIP_SPECIAL_TOKENS =
      flag("skip_special_tokens", "true", "Leaves special tokens out of the text");

  /** What an answer must look like. */
  public static final GenerationParameter<String> RESPONSE_FORMAT =
      add(
          "response_format",
          "a JSON schema, `json`, `choice: [\"a\", \"b\"]` or `regex: ...`",
          "none",
          "Holds the answer to a form: only tokens that lead on in it are chosen, and the answer ends"
              + " where it is whole, whatever `min_tokens` and `ignore_eos` say. After thoughts that"
              + " the prompt opens, it begins where they close. `stop`, `stop_token_ids` and"
              + " `max_tokens` may end it before",
          text -> text);

  /** Where an answer in JSON may have white space. */
  public static final GenerationParameter<WhiteSpace> RESPONSE_WHITE_SPACE =
      add(
          "response_white_space",
          "compact or free",
          "compact",
          "Whether an answer in JSON has no white space outside of strings, or what the model likes",
          text -> WhiteSpace.valueOf(text.strip().toUpperCase(Locale.ROOT)));

  /** Of how many of the likeliest tokens log probabilities are reported. */
  public static final GenerationParameter<Integer> LOGPROBS =
      integer(
          "logprobs",
          0,
          Sampling.MOST_LOGPROBS,
          "none",
          "Adds to the result the log probability of each generated token, and those of so many of the"
              + " likeliest tokens there: of the model's own logits, before temperature, penalties,"
              + " biases and a response format");

  /** The query's seed, which is mixed with the row's content. */
  public static final GenerationParameter<Long> SEED =
      add(
          "seed",
          "an integer from " + Long.MIN_VALUE + " to " + Long.MAX_VALUE,
          "0",
          "Another seed samples other tokens; it is mixed with the row's content",
          GenerationParameters::parseWhole);

  /** Variables of the chat template, as a JSON object. */
  public static final GenerationParameter<String> CHAT_TEMPLATE_KWARGS =
      add(
          "chat_template_kwargs",
          "a JSON object without "
              + String.join(", ", new TreeSet<>(ChatTemplate.RESERVED_VARIABLES)),
          "none",
          "Variables of the chat template, such as enable_thinking; for conversations",
          text -> {
            JsonNode object = checked(parseJson(text), JsonNode::isObject);
            ChatTemplate.RESERVED_VARIABLES.forEach(
                name -> checked(object, variables -> !variables.has(name)));
            return text;
          });

  /** Whether the conversation's last message is continued. */
  public static final GenerationParameter<Boolean> CONTINUE_FINAL_MESSAGE =
      flag(
          "continue_final_message",
          "false",
          "Continues the conversation's last message, which is the assistant's, instead of beginning"
              + " another one");

  /** Tools that the model may call, as a JSON array. */
  public static final GenerationParameter<String> TOOLS =
      add(
          "tools",
          "a JSON array of objects",
          "none",
          "Tools that the model may call, for the chat template; for conversations",
          text -> {
            checked(parseJson(text), JsonNode::isArray)
                .forEach(tool -> checked(tool, JsonNode::isObject));
            return text;
          });

  /** How many variants of the text are generated. */
  public static final GenerationParameter<Integer> N =
      integer(
          "n",
          1,
          128,
          "1",
          "How many variants of the text are generated, from a prompt that is computed once; each"
              + " samples with a seed of its own, the first as if it were alone");

  private final Map<GenerationParameter<?>, Object> values;

  private GenerationParameters(Map<GenerationParameter<?>, Object> values) {
    this.values = Map.copyOf(values);
  }

  /**
   * Reads parameters by name.
   *
   * @throws InvalidParameterException if a name is unknown, a parameter is given by two of its
   *     names, or a value cannot be read or is out of its range
   */
  public static GenerationParameters parse(Map<String, String> named) {
    Map<GenerationParameter<?>, Object> values = new HashMap<>();
    for (Map.Entry<String, String> given : new TreeMap<>(named).entrySet()) {
      GenerationParameter<?> parameter = declared(given.getKey());
      if (values.put(parameter, parameter.parse(given.getValue())) != null) {
        throw new InvalidParameterException(
            parameter.name()
                + " is given by more than one of its names, "
                + given.getKey()
                + " among them; give it once.");
      }
    }
    return new GenerationParameters(values);
  }

  /** All parameters there are, in the order of the documentation. */
  public static List<GenerationParameter<?>> all() {
    return List.copyOf(ALL);
  }

  /** The value of a parameter; empty where it is not given. */
  @SuppressWarnings("unchecked") // Each value was read by the parameter it stands for.
  public <T> Optional<T> get(GenerationParameter<T> parameter) {
    return Optional.ofNullable((T) values.get(parameter));
  }

  /**
   * What answers must look like; reading it takes a moment.
   *
   * @throws InvalidParameterException if it cannot be used
   */
  public Optional<ResponseFormat> responseFormat() {
    WhiteSpace whiteSpace = get(RESPONSE_WHITE_SPACE).orElse(WhiteSpace.COMPACT);
    try {
      return get(RESPONSE_FORMAT).map(text -> ResponseFormat.parse(text, whiteSpace));
    } catch (InvalidResponseFormatException problem) {
      throw InvalidParameterException.of(problem);
    }
  }

  private static GenerationParameter<?> declared(String name) {
    for (GenerationParameter<?> parameter : ALL) {
      if (parameter.name().equals(name) || parameter.aliases().contains(name)) {
        return parameter;
      }
    }
    List<String> names = ALL.stream().<String>map(GenerationParameter::name).toList();
    throw new InvalidParameterException(
        "There is no parameter '"
            + name
            + "'; known are "
            + String.join(", ", names.subList(0, names.size() - 1))
            + " and "
            + names.get(names.size() - 1)
            + ".");
  }

  private static GenerationParameter<Integer> integer(
      String name, int least, int most, String defaultText, String meaning) {
    return add(
        name,
        "an integer from " + least + " to " + most,
        defaultText,
        meaning,
        text -> checked(toInt(parseWhole(text)), value -> value >= least && value <= most));
  }

  /** A number that float32 holds: the precision of sampling. */
  private static GenerationParameter<Float> number(
      String name, String range, Predicate<Float> right, String defaultText, String meaning) {
    return add(
        name,
        range,
        defaultText,
        meaning,
        text -> checked(Float.parseFloat(text.strip()), right.and(Float::isFinite)));
  }

  /** True or false, in whatever case: Python writes True. */
  private static GenerationParameter<Boolean> flag(
      String name, String defaultText, String meaning) {
    return add(
        name,
        "true or false",
        defaultText,
        meaning,
        text -> {
          String word = text.strip().toLowerCase(Locale.ROOT);
          return checked(word, known -> known.equals("true") || known.equals("false"))
              .equals("true");
        });
  }

  private static TokenLimit parseLimit(String text) {
    return text.strip().equals("auto")
        ? new TokenLimit.Auto()
        : new TokenLimit.AtMost(checked(toInt(parseWhole(text)), tokens -> tokens >= 1));
  }

  /** A whole number, also as {@code 4.0}: SQL makes it of 4 in a map that holds 0.7 too. */
  private static long parseWhole(String text) {
    try {
      return new BigDecimal(text.strip()).longValueExact();
    } catch (ArithmeticException notWhole) {
      throw new IllegalArgumentException(notWhole);
    }
  }

  private static int toInt(long number) {
    if (number != (int) number) {
      throw new IllegalArgumentException(number + " has more than 32 bits");
    }
    return (int) number;
  }

  private static List<String> parseTexts(String value) {
    if (!value.startsWith("[")) {
      return List.of(checked(value, text -> !text.isEmpty()));
    }
    List<String> texts = new ArrayList<>();
    for (JsonNode node : parseJson(value)) {
      texts.add(checked(node.textValue(), text -> text != null && !text.isEmpty()));
    }
    return List.copyOf(texts);
  }

  private static JsonNode parseJson(String value) {
    try {
      return JSON.readTree(value);
    } catch (JsonProcessingException problem) {
      throw new IllegalArgumentException(value, problem);
    }
  }

  private static List<Integer> parseIds(String value) {
    if (!value.strip().startsWith("[")) {
      return List.of(parseId(value));
    }
    List<Integer> ids = new ArrayList<>();
    for (JsonNode node : parseJson(value)) {
      ids.add(parseId(node.asText()));
    }
    return List.copyOf(ids);
  }

  private static int parseId(String text) {
    return checked(toInt(parseWhole(text)), id -> id >= 0);
  }

  private static Map<Integer, Float> parseBias(String value) {
    Map<Integer, Float> bias = new HashMap<>();
    checked(parseJson(value), JsonNode::isObject)
        .fields()
        .forEachRemaining(
            entry ->
                bias.put(
                    parseId(entry.getKey()),
                    checked(entry.getValue(), JsonNode::isNumber).floatValue()));
    bias.values().forEach(number -> checked(number, finite -> Math.abs(finite) <= 100));
    return Map.copyOf(bias);
  }

  private static <T> T checked(T value, Predicate<T> right) {
    if (!right.test(value)) {
      throw new IllegalArgumentException(String.valueOf(value));
    }
    return value;
  }

  private static <T> GenerationParameter<T> add(
      String name, String range, String defaultText, String meaning, Function<String, T> parser) {
    return add(name, List.of(), range, defaultText, meaning, parser);
  }

  private static <T> GenerationParameter<T> add(
      String name,
      List<String> aliases,
      String range,
      String defaultText,
      String meaning,
      Function<String, T> parser) {
    GenerationParameter<T> parameter =
        new GenerationParameter<>(name, aliases, range, defaultText, meaning, parser);
    ALL.add(parameter);
    return parameter;
  }
}
