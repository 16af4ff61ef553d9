package dev.sparkmla.engine;

import dev.sparkmla.text.ChatTemplate;
import dev.sparkmla.text.ChatTemplateException;
import dev.sparkmla.text.Message;
import dev.sparkmla.text.Tokenizer;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * Turns a request's prompt into token ids that leave room for the new ones. Thread-safe, like the
 * tokenizer.
 */
final class PromptEncoder {
  private static final String SYSTEM = "system";
  private static final String USER = "user";

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
   * The ids of the prompt, cut as the request's policy says.
   *
   * @param maxTokens new tokens to leave room for
   * @throws RowErrorException if there is no such prompt
   */
  int[] encode(GenerationRequest request, int maxTokens) {
    Layout layout = layout(request);
    int[] ids = layout.encode(layout.texts());
    if (ids.length == 0) {
      throw new RowErrorException(
          ErrorCode.EMPTY_PROMPT, "The prompt holds nothing that the tokenizer turns into tokens.");
    }
    long room = Math.min(contextWindow, cacheTokens) - maxTokens;
    if (ids.length <= room) {
      return ids;
    }
    if (request.overflow() == OverflowPolicy.ERROR || room < 1) {
      throw tooLong("The prompt has " + ids.length + " tokens", maxTokens);
    }
    return truncate(layout, request.overflow(), maxTokens, (int) room);
  }

  /** Where a prompt's texts go: what is around them stays when they are cut. */
  private interface Layout {
    List<String> texts();

    int[] encode(List<String> texts);

    /** Whether a prompt whose texts are empty is still one. */
    boolean mayLoseAllText();
  }

  private Layout layout(GenerationRequest request) {
    if (request.prompt() instanceof Prompt.Raw raw) {
      if (raw.text().isEmpty()) {
        throw new RowErrorException(ErrorCode.EMPTY_PROMPT, "The prompt is an empty text.");
      }
      return request.system().isEmpty()
          ? new RawLayout(raw.text())
          : chat(
              List.of(new Message(SYSTEM, request.system().get()), new Message(USER, raw.text())));
    }
    List<Message> messages = new ArrayList<>(((Prompt.Chat) request.prompt()).messages());
    if (messages.isEmpty()) {
      throw new RowErrorException(
          ErrorCode.INVALID_PROMPT, "The conversation has no messages; it needs at least one.");
    }
    for (int i = 0; i < messages.size(); i++) {
      Message message = messages.get(i);
      if (message.role() == null || message.content() == null) {
        throw new RowErrorException(
            ErrorCode.INVALID_PROMPT,
            "Message "
                + (i + 1)
                + " of the conversation has no "
                + (message.role() == null ? "role" : "content")
                + "; both must be given.");
      }
    }
    if (request.system().isPresent()
        && messages.stream().noneMatch(message -> message.role().equals(SYSTEM))) {
      messages.add(0, new Message(SYSTEM, request.system().get()));
    }
    return chat(messages);
  }

  private Layout chat(List<Message> messages) {
    return new ChatLayout(
        messages,
        template.orElseThrow(
            () ->
                new RowErrorException(
                    ErrorCode.INVALID_PROMPT,
                    "The model has no chat template; give the prompt as one text, without a system"
                        + " message.")));
  }

  private final class RawLayout implements Layout {
    private final String text;

    RawLayout(String text) {
      this.text = text;
    }

    @Override
    public List<String> texts() {
      return List.of(text);
    }

    @Override
    public int[] encode(List<String> texts) {
      return tokenizer.encodePrompt(texts.get(0));
    }

    @Override
    public boolean mayLoseAllText() {
      return false;
    }
  }

  private final class ChatLayout implements Layout {
    private final List<Message> messages;
    private final ChatTemplate chatTemplate;

    ChatLayout(List<Message> messages, ChatTemplate chatTemplate) {
      this.messages = messages;
      this.chatTemplate = chatTemplate;
    }

    @Override
    public List<String> texts() {
      return messages.stream().map(Message::content).toList();
    }

    @Override
    public int[] encode(List<String> texts) {
      List<Message> replaced =
          IntStream.range(0, texts.size())
              .mapToObj(i -> new Message(messages.get(i).role(), texts.get(i)))
              .toList();
      try {
        return tokenizer.encodeChat(chatTemplate, replaced);
      } catch (ChatTemplateException e) {
        throw new RowErrorException(
            ErrorCode.INVALID_PROMPT,
            "The model's chat template refuses the conversation: " + e.getMessage());
      }
    }

    @Override
    public boolean mayLoseAllText() {
      return true;
    }
  }

  private int[] truncate(Layout layout, OverflowPolicy policy, int maxTokens, int room) {
    List<String> texts = new ArrayList<>(layout.texts());
    List<Integer> longestFirst =
        IntStream.range(0, texts.size())
            .boxed()
            .sorted(Comparator.comparing((Integer i) -> texts.get(i).length()).reversed())
            .toList();
    for (int i : longestFirst) {
      String whole = texts.get(i);
      texts.set(i, "");
      int[] best = layout.encode(texts);
      if (best.length > room) {
        continue;
      }
      // Bisection: low characters fit, high do not. Encoding is as good as monotonous in the
      // length; what is returned was seen to fit in any case.
      int low = 0;
      int high = whole.length();
      while (high - low > 1) {
        int kept = (low + high) >>> 1;
        texts.set(i, cut(whole, kept, policy));
        int[] ids = layout.encode(texts);
        if (ids.length <= room) {
          low = kept;
          best = ids;
        } else {
          high = kept;
        }
      }
      if (low > 0 || layout.mayLoseAllText()) {
        return best;
      }
    }
    throw tooLong("Nothing of the prompt's text can stay", maxTokens);
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

  private RowErrorException tooLong(String what, int maxTokens) {
    String limit =
        contextWindow <= cacheTokens
            ? "the context window of " + contextWindow + " tokens"
            : "the KV cache of " + cacheTokens + " tokens";
    return new RowErrorException(
        ErrorCode.PROMPT_TOO_LONG,
        what
            + ", which with max_tokens "
            + maxTokens
            + " is too long for "
            + limit
            + "; shorten the prompt, lower max_tokens or have long prompts truncated.");
  }
}
