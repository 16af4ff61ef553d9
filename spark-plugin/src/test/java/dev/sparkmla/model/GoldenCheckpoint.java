package dev.sparkmla.model;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.sparkmla.compute.ComputeBackend;
import dev.sparkmla.policy.LogitsProcessing;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;

/**
 * A small random model and what transformers computes with it in float64; how they are made is in
 * src/test/golden/README.md.
 */
public final class GoldenCheckpoint {
  private static final ObjectMapper JSON = new ObjectMapper();

  private final Path folder;
  private final List<Case> cases;

  /**
   * A prompt and its expectations.
   *
   * @param tokens the prompt's ids
   * @param logits {@code [vocabulary]}, after the prompt's last token
   * @param greedy the tokens that follow, each the largest logit's; end tokens do not end them
   * @param margins by how much each of them leads the second largest logit
   * @param activationEffect by how many standard deviations a logit moves at most when what
   *     projections read is quantized too; 0 where their weights are not
   */
  public record Case(
      int[] tokens, float[] logits, int[] greedy, float[] margins, double activationEffect) {
    /** Standard deviation of the logits. */
    public double deviation() {
      double mean = 0;
      for (float logit : logits) {
        mean += logit / logits.length;
      }
      double squares = 0;
      for (float logit : logits) {
        squares += (logit - mean) * (logit - mean);
      }
      return Math.sqrt(squares / (logits.length - 1));
    }

    @Override
    public String toString() {
      return tokens.length + " tokens";
    }
  }

  /**
   * A prompt as text and what a whole run gives for it.
   *
   * @param prompt JSON: a string, or a list of messages
   * @param promptTokens the prompt's ids
   * @param text the text generated greedily, at most 12 tokens
   * @param tokens its ids, the end token included
   * @param finishReason {@code stop} or {@code length}
   */
  public record TextCase(
      JsonNode prompt, int[] promptTokens, String text, int[] tokens, String finishReason) {}

  /**
   * A prompt that is continued greedily with processed logits.
   *
   * @param prompt the prompt's ids
   * @param processing what is done to logits
   * @param tokens the tokens that follow, an end token included
   * @param margins by how much each of them leads the second largest processed logit
   * @param logprobs the ids with the largest probabilities after processing, and the natural
   *     logarithms of these, for the first token
   */
  public record ProcessedCase(
      int[] prompt,
      LogitsProcessing processing,
      int[] tokens,
      float[] margins,
      Map<Integer, Float> logprobs) {}

  private GoldenCheckpoint(Path folder) {
    this.folder = folder;
    this.cases = new ArrayList<>();
    JsonNode expected = read(folder.resolve("expected.json")).get(0);
    for (JsonNode node : expected.get("cases")) {
      cases.add(
          new Case(
              ints(node.get("tokens")),
              floats(node.get("logits")),
              ints(node.get("greedy")),
              floats(node.get("margins")),
              expected.path("activation_effect").asDouble(0)));
    }
  }

  /** All of them, in the order of their names. */
  public static List<GoldenCheckpoint> all() {
    try (Stream<Path> folders = Files.list(Path.of("src", "test", "golden"))) {
      return folders
          .filter(folder -> Files.exists(folder.resolve("expected.json")))
          .sorted()
          .map(GoldenCheckpoint::new)
          .toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The model folder. */
  public Path folder() {
    return folder;
  }

  /** Loads the model. */
  public MlaTransformer load(ComputeBackend backend, CacheSize size) {
    try (Weights weights = Weights.open(folder)) {
      return MlaTransformer.load(ModelConfig.read(folder), weights, backend, size);
    }
  }

  /** Prompts of 1, 63, 64, 65, 129, 700 and 1500 tokens. */
  public List<Case> cases() {
    return cases;
  }

  /** Prompts to continue as they stand. */
  public List<TextCase> prompts() {
    return texts("prompts.jsonl");
  }

  /** Conversations. */
  public List<TextCase> chats() {
    return texts("chat.jsonl");
  }

  /** Prompts whose logits are processed; none where the checkpoint has none. */
  public List<ProcessedCase> processedCases() {
    Path file = folder.resolve("processing.json");
    List<ProcessedCase> processed = new ArrayList<>();
    if (Files.exists(file)) {
      for (JsonNode node : read(file).get(0)) {
        processed.add(
            new ProcessedCase(
                cases.get(node.get("prompt").intValue()).tokens(),
                processing(node),
                ints(node.get("tokens")),
                floats(node.get("margins")),
                logprobs(node.get("first_logprobs"))));
      }
    }
    return processed;
  }

  private static LogitsProcessing processing(JsonNode node) {
    Map<Integer, Float> bias = new HashMap<>();
    node.path("logit_bias")
        .fields()
        .forEachRemaining(
            entry -> bias.put(Integer.valueOf(entry.getKey()), entry.getValue().floatValue()));
    List<List<Integer>> badWords = new ArrayList<>();
    node.path("bad_words").forEach(word -> badWords.add(list(word)));
    return new LogitsProcessing(
        bias,
        (float) node.path("repetition_penalty").asDouble(1),
        (float) node.path("presence_penalty").asDouble(0),
        (float) node.path("frequency_penalty").asDouble(0),
        badWords,
        node.path("min_tokens").asInt(0),
        Set.copyOf(list(node.path("end_tokens"))));
  }

  private static List<Integer> list(JsonNode ids) {
    List<Integer> list = new ArrayList<>();
    ids.forEach(id -> list.add(id.intValue()));
    return list;
  }

  private static Map<Integer, Float> logprobs(JsonNode pairs) {
    Map<Integer, Float> logprobs = new LinkedHashMap<>();
    pairs.forEach(pair -> logprobs.put(pair.get(0).intValue(), pair.get(1).floatValue()));
    return logprobs;
  }

  private List<TextCase> texts(String file) {
    List<TextCase> texts = new ArrayList<>();
    for (JsonNode row : read(folder.resolve(file))) {
      texts.add(
          new TextCase(
              row.get("prompt"),
              ints(row.get("expected_prompt_tokens")),
              row.get("expected_text").textValue(),
              ints(row.get("expected_tokens")),
              row.get("expected_finish_reason").textValue()));
    }
    return texts;
  }

  @Override
  public String toString() {
    return folder.getFileName().toString();
  }

  private static List<JsonNode> read(Path file) {
    try (Stream<String> lines = Files.lines(file)) {
      List<JsonNode> nodes = new ArrayList<>();
      for (String line : lines.toList()) {
        nodes.add(JSON.readTree(line));
      }
      return nodes;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static int[] ints(JsonNode list) {
    int[] values = new int[list.size()];
    for (int i = 0; i < values.length; i++) {
      values[i] = list.get(i).intValue();
    }
    return values;
  }

  private static float[] floats(JsonNode list) {
    float[] values = new float[list.size()];
    for (int i = 0; i < values.length; i++) {
      values[i] = list.get(i).floatValue();
    }
    return values;
  }
}
