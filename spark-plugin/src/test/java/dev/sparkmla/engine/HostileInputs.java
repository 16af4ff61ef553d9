package dev.sparkmla.engine;

import dev.sparkmla.compute.ComputeBackend;
import dev.sparkmla.compute.ComputeBackends;
import dev.sparkmla.compute.ComputeException;
import dev.sparkmla.compute.Segment;
import dev.sparkmla.model.CacheSize;
import dev.sparkmla.model.MlaTransformer;
import dev.sparkmla.model.ModelFormatException;
import dev.sparkmla.model.Weights;
import dev.sparkmla.policy.Sampling;
import dev.sparkmla.text.ChatTemplateException;
import dev.sparkmla.text.Message;
import dev.sparkmla.text.PromptText;
import dev.sparkmla.text.TextFormatException;
import dev.sparkmla.text.TextTooLongException;
import dev.sparkmla.text.TokenDecoder;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;
import java.util.Random;

/**
 * Opens broken model folders, or lays out and encodes hostile rows, in a process of its own: {@link
 * HostileInputsTest} reads what became of each, and notices when there is nothing to read. Each
 * line is a seed, ACCEPTED, REFUSED or WRONG, and what was broken or thrown.
 */
final class HostileInputs {
  private static final Path GOLDEN = Path.of("src", "test", "golden");
  private static final List<String> CHECKPOINTS =
      List.of("deepseek-v3", "youtu", "glm4-moe-lite", "deepseek-v3-yarn-parameters");
  private static final List<Message> HELLO = List.of(new Message("user", "river 19"));

  private HostileInputs() {}

  /** What a hostile input may do. */
  private interface Attempt {
    /** What it did when nothing was wrong with it. */
    String run() throws IOException;
  }

  /**
   * @param arguments {@code folders} or {@code rows}, the first seed, how many, and an empty folder
   */
  public static void main(String[] arguments) throws IOException {
    long first = Long.parseLong(arguments[1]);
    long end = first + Long.parseLong(arguments[2]);
    Path scratch = Path.of(arguments[3]);
    if (arguments[0].equals("folders")) {
      folders(first, end, scratch);
    } else {
      rows(first, end);
    }
  }

  private static void folders(long first, long end, Path scratch) throws IOException {
    try (ComputeBackend backend = ComputeBackends.cpu(1)) {
      for (long seed = first; seed < end; seed++) {
        String checkpoint = CHECKPOINTS.get((int) (seed % CHECKPOINTS.size()));
        FolderMutation.copy(GOLDEN.resolve(checkpoint), scratch);
        String change = checkpoint + " " + FolderMutation.apply(seed, scratch);
        report(
            seed,
            change,
            () -> {
              use(scratch, backend);
              return "";
            });
      }
    }
  }

  /** What an executor does with a folder, and a driver. */
  private static void use(Path path, ComputeBackend backend) {
    try (ModelFolder folder = new ModelFolder(path)) {
      folder.requireTokenizerOfModel();
      PromptText text = folder.text();
      text.countTokens("river 19\n  stone");
      text.template().ifPresent(template -> text.countTokens(HELLO));
      int[] prompt = text.tokenizer().encodePrompt("river stone lantern");
      try (Weights weights = folder.openWeights();
          MlaTransformer model =
              MlaTransformer.load(folder.config(), weights, backend, new CacheSize.Blocks(2))) {
        generate(model, prompt, text);
      }
    }
  }

  private static void generate(MlaTransformer model, int[] prompt, PromptText text) {
    Segment segment =
        new Segment(
            Segment.Role.PREFILL,
            new Segment.Tokens.Known(prompt),
            0,
            new int[] {0},
            List.of(new Segment.Sample(prompt.length - 1, Sampling.GREEDY)));
    OptionalInt token = model.submit(List.of(segment)).tokens().token(0);
    token.ifPresent(id -> text.tokenizer().newDecoder(false).append(id));
  }

  private static void rows(long first, long end) throws IOException {
    try (PromptText demo = PromptText.open(DemoText.FOLDER);
        PromptText golden = PromptText.open(GOLDEN.resolve("glm4-moe-lite"))) {
      for (long seed = first; seed < end; seed++) {
        Random random = new Random(seed);
        PromptText text = seed % 2 == 0 ? demo : golden;
        List<Message> messages = HostileText.conversation(random);
        report(seed, HostileText.shown(messages), () -> row(text, messages));
      }
    }
  }

  /** A row as a prompt and as a conversation: what is decoded is what was encoded. */
  private static String row(PromptText text, List<Message> messages) {
    String content = messages.get(messages.size() - 1).content();
    int[] ids = text.tokenizer().encodePrompt(content);
    if (!content.isEmpty() && text.countTokens(content) != ids.length) {
      throw new IllegalStateException("the same text has two numbers of tokens");
    }
    StringBuilder decoded = new StringBuilder();
    TokenDecoder decoder = text.tokenizer().newDecoder(false);
    Arrays.stream(ids).forEach(id -> decoded.append(decoder.append(id)));
    decoded.append(decoder.finish());
    text.renderChat(messages);
    return ids.length + " tokens, " + text.countTokens(messages) + " in the conversation";
  }

  private static void report(long seed, String input, Attempt attempt) {
    String state;
    String what;
    try {
      what = input + " " + attempt.run();
      state = "ACCEPTED";
    } catch (ModelFormatException
        | TextFormatException
        | ChatTemplateException
        | TextTooLongException
        | ComputeException e) {
      state = "REFUSED";
      what = input + ": " + e.getMessage();
    } catch (Exception | Error e) {
      state = "WRONG";
      what = input + ": " + e + " at " + Arrays.toString(e.getStackTrace());
    }
    System.out.println(seed + "\t" + state + "\t" + what.replaceAll("\\p{Cntrl}", "?"));
  }
}
