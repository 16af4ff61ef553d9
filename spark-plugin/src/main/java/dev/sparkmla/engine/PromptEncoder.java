package dev.sparkmla.engine;

import dev.sparkmla.arrow.ErrorCode;
import dev.sparkmla.arrow.GenerationRequest;
import dev.sparkmla.arrow.OverflowPolicy;
import dev.sparkmla.text.ChatTemplate;
import dev.sparkmla.text.TemplateOptions;
import dev.sparkmla.text.TextTooLongException;
import dev.sparkmla.text.Tokenizer;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * Turns requests' prompts into token ids that leave room for the new ones: each is laid out, all of
 * them are encoded at once, and each is made to fit. Thread-safe, like the tokenizer.
 */
final class PromptEncoder {
  private final Tokenizer tokenizer;
  private final Optional<ChatTemplate> template;
  private final int contextWindow;
  private final long cacheTokens;

  /**
   * @param contextWindow tokens the model can attend to
   * @param cacheTokens tokens the whole cache holds
   */
  PromptEncoder(
      Tokenizer tokenizer, Optional<ChatTemplate> template, int contextWindow, long cacheTokens) {
    this.tokenizer = tokenizer;
    this.template = template;
    this.contextWindow = contextWindow;
    this.cacheTokens = cacheTokens;
  }

  /**
   * Lays out a request's prompt.
   *
   * @param options what a template is given beside the messages
   * @throws RowErrorException if there is no such prompt, or none that the tokenizer takes
   */
  PromptLayout layOut(GenerationRequest request, TemplateOptions options) {
    try {
      return PromptLayout.of(request, options, tokenizer, template, mostCharacters());
    } catch (TextTooLongException e) {
      throw unencodable(e);
    }
  }

  /** The ids of all prompts, in order; empty for a prompt whose texts alone are too long. */
  List<Optional<int[]>> encodeAll(List<PromptLayout> prompts) {
    Iterator<int[]> ids =
        tokenizer
            .encodeAll(prompts.stream().map(PromptLayout::whole).flatMap(Optional::stream).toList())
            .iterator();
    return prompts.stream().map(prompt -> prompt.whole().map(whole -> ids.next())).toList();
  }

  /** More characters than this cannot fit, whatever tokens they become. */
  private long mostCharacters() {
    return tokenizer.mostCharacters(Math.min(contextWindow, cacheTokens));
  }

  /**
   * A prompt and the tokens that may follow it, either cut as the prompt's policy says.
   *
   * @param ids those of the whole prompt; none where they are known to be too many
   * @param limit the tokens that the request asks for
   * @throws RowErrorException if there are no ids, or too many
   */
  FittedPrompt fit(PromptLayout prompt, Optional<int[]> ids, TokenLimit limit) {
    if (ids.isPresent() && ids.get().length == 0) {
      throw new RowErrorException(
          ErrorCode.EMPTY_PROMPT, "The prompt holds nothing that the tokenizer turns into tokens.");
    }
    int whole = (int) Math.min(contextWindow, cacheTokens);
    int reserved =
        switch (prompt.overflow()) {
          case TRUNCATE_OUTPUT -> 1;
          case ERROR, TRUNCATE_LEFT, TRUNCATE_MIDDLE -> limit.reserved();
        };
    int room = whole - reserved;
    int[] fitting =
        ids.filter(all -> all.length <= room).orElseGet(() -> cut(prompt, ids, reserved, room));
    return new FittedPrompt(fitting, limit.within(whole - fitting.length));
  }

  private int[] cut(PromptLayout prompt, Optional<int[]> ids, int reserved, int room) {
    boolean keepsPrompt =
        switch (prompt.overflow()) {
          case ERROR, TRUNCATE_OUTPUT -> true;
          case TRUNCATE_LEFT, TRUNCATE_MIDDLE -> false;
        };
    if (keepsPrompt || room < 1) {
      String size =
          ids.map(all -> all.length + " tokens")
              .orElseGet(() -> PromptLayout.characters(prompt.texts()) + " characters");
      throw tooLong("The prompt has " + size, prompt, reserved, ids);
    }
    try {
      return truncate(prompt, ids, reserved, room);
    } catch (TextTooLongException e) {
      throw unencodable(e);
    }
  }

  private static RowErrorException unencodable(TextTooLongException e) {
    return new RowErrorException(
        ErrorCode.PROMPT_TOO_LONG, "The prompt " + e.getMessage() + "; shorten it.");
  }

  private int[] truncate(PromptLayout prompt, Optional<int[]> ids, int reserved, int room) {
    List<String> texts = new ArrayList<>(prompt.texts());
    List<Integer> longestFirst =
        IntStream.range(0, texts.size())
            .boxed()
            .sorted(Comparator.comparing((Integer i) -> texts.get(i).length()).reversed())
            .toList();
    for (int i : longestFirst) {
      String whole = texts.get(i);
      texts.set(i, "");
      if (PromptLayout.characters(texts) > mostCharacters()) {
        continue;
      }
      int[] best = encode(prompt, texts);
      if (best.length > room) {
        continue;
      }
      // Bisection: low characters fit, high do not. Encoding is as good as monotonous in the
      // length; what is returned was seen to fit in any case.
      int low = 0;
      int high = (int) Math.min(whole.length(), tokenizer.mostCharacters(room + 1L));
      while (high - low > 1) {
        int kept = (low + high) >>> 1;
        texts.set(i, cut(whole, kept, prompt.overflow()));
        int[] shorter = encode(prompt, texts);
        if (shorter.length <= room) {
          low = kept;
          best = shorter;
        } else {
          high = kept;
        }
      }
      if (low > 0 || prompt.mayLoseAllText()) {
        return best;
      }
    }
    throw tooLong("Nothing of the prompt's text can stay", prompt, reserved, ids);
  }

  private int[] encode(PromptLayout prompt, List<String> texts) {
    return tokenizer.encodeAll(List.of(prompt.with(texts))).get(0);
  }

  /** Keeps {@code kept} characters of a text, one fewer where half a pair would stand alone. */
  private static String cut(String text, int kept, OverflowPolicy policy) {
    int head = policy == OverflowPolicy.TRUNCATE_MIDDLE ? (kept + 1) / 2 : 0;
    int tail = text.length() - (kept - head);
    if (splitsPair(text, head)) {
      head--;
    }
    if (splitsPair(text, tail)) {
      tail++;
    }
    return text.substring(0, head) + text.substring(tail);
  }

  private static boolean splitsPair(String text, int at) {
    return at > 0
        && at < text.length()
        && Character.isSurrogatePair(text.charAt(at - 1), text.charAt(at));
  }

  private RowErrorException tooLong(
      String what, PromptLayout prompt, int reserved, Optional<int[]> ids) {
    String limit =
        contextWindow <= cacheTokens
            ? "the context window of " + contextWindow + " tokens"
            : "the KV cache of " + cacheTokens + " tokens";
    return new RowErrorException(
        ErrorCode.PROMPT_TOO_LONG,
        what
            + ", which with "
            + reserved
            + (reserved == 1 ? " new token" : " new tokens")
            + " is too long for "
            + limit
            + "; shorten the prompt"
            + switch (prompt.overflow()) {
              case ERROR -> ", lower max_tokens or have long prompts truncated.";
              case TRUNCATE_LEFT, TRUNCATE_MIDDLE -> " or lower max_tokens.";
              case TRUNCATE_OUTPUT -> " or have long prompts truncated.";
            },
        ids.map(all -> all.length).orElse(0));
  }
}
