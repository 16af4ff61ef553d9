package dev.sparkmla.engine;

import dev.sparkmla.arrow.ErrorCode;
import dev.sparkmla.arrow.GenerationRequest;
import dev.sparkmla.arrow.OverflowPolicy;
import dev.sparkmla.arrow.Prompt;
import dev.sparkmla.text.ChatTemplate;
import dev.sparkmla.text.ChatTemplateException;
import dev.sparkmla.text.GuardedPrompt;
import dev.sparkmla.text.Message;
import dev.sparkmla.text.Tokenizer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.IntStream;

/**
 * A request's prompt: its texts, and what goes around them, which stays when they are cut.
 * Immutable.
 */
final class PromptLayout {
  private static final String SYSTEM = "system";
  private static final String USER = "user";

  private final List<String> texts;
  private final OverflowPolicy overflow;
  private final boolean mayLoseAllText;
  private final Function<List<String>, GuardedPrompt> layout;
  private final Optional<GuardedPrompt> whole;

  private PromptLayout(
      List<String> texts,
      OverflowPolicy overflow,
      boolean mayLoseAllText,
      Function<List<String>, GuardedPrompt> layout,
      long mostCharacters) {
    this.texts = texts;
    this.overflow = overflow;
    this.mayLoseAllText = mayLoseAllText;
    this.layout = layout;
    this.whole =
        characters(texts) <= mostCharacters ? Optional.of(layout.apply(texts)) : Optional.empty();
  }

  /**
   * Lays out a request's prompt.
   *
   * @param mostCharacters a prompt whose texts have more is not laid out as a whole
   * @throws RowErrorException if there is nothing in it, or no template that takes it
   * @throws dev.sparkmla.text.TextTooLongException if the tokenizer does not take it
   */
  static PromptLayout of(
      GenerationRequest request,
      Tokenizer tokenizer,
      Optional<ChatTemplate> template,
      long mostCharacters) {
    if (request.prompt() instanceof Prompt.Raw raw) {
      if (raw.text().isEmpty()) {
        throw new RowErrorException(ErrorCode.EMPTY_PROMPT, "The prompt is an empty text.");
      }
      if (request.system().isEmpty()) {
        return new PromptLayout(
            List.of(raw.text()),
            request.overflow(),
            false,
            texts -> tokenizer.guard(texts.get(0)),
            mostCharacters);
      }
    }
    ChatTemplate present =
        template.orElseThrow(
            () ->
                new RowErrorException(
                    ErrorCode.INVALID_PROMPT,
                    "The model has no chat template; give the prompt as one text, without a system"
                        + " message."));
    List<Message> messages = messages(request);
    return new PromptLayout(
        messages.stream().map(Message::content).toList(),
        request.overflow(),
        true,
        texts -> conversation(messages, texts, tokenizer, present),
        mostCharacters);
  }

  private static List<Message> messages(GenerationRequest request) {
    List<Message> messages = new ArrayList<>();
    if (request.prompt() instanceof Prompt.Raw raw) {
      messages.add(new Message(USER, raw.text()));
    } else if (request.prompt() instanceof Prompt.Chat chat) {
      messages.addAll(chat.messages());
    }
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
                + (message.role() == null
                    ? "role; it must be given."
                    : "content; it must be a text, or a list of parts that are all of type text."));
      }
    }
    if (request.system().isPresent()
        && messages.stream().noneMatch(message -> message.role().equals(SYSTEM))) {
      messages.add(0, new Message(SYSTEM, request.system().get()));
    }
    return messages;
  }

  /** A conversation with other contents in the place of its messages' own. */
  private static GuardedPrompt conversation(
      List<Message> messages, List<String> contents, Tokenizer tokenizer, ChatTemplate template) {
    List<Message> replaced =
        IntStream.range(0, contents.size())
            .mapToObj(i -> new Message(messages.get(i).role(), contents.get(i)))
            .toList();
    try {
      return tokenizer.guard(template, replaced);
    } catch (ChatTemplateException e) {
      throw new RowErrorException(
          ErrorCode.INVALID_PROMPT,
          "The model's chat template refuses the conversation: " + e.getMessage());
    }
  }

  /** The texts that may be cut. */
  List<String> texts() {
    return texts;
  }

  /** The characters of some texts together. */
  static long characters(List<String> texts) {
    return texts.stream().mapToLong(String::length).sum();
  }

  /** The prompt with all of its texts; empty where these have too many characters. */
  Optional<GuardedPrompt> whole() {
    return whole;
  }

  /** What to do where it is too long. */
  OverflowPolicy overflow() {
    return overflow;
  }

  /**
   * The prompt with other texts in the place of its own.
   *
   * @throws RowErrorException if the template refuses them
   */
  GuardedPrompt with(List<String> otherTexts) {
    return layout.apply(otherTexts);
  }

  /** Whether a prompt whose texts are empty is still one. */
  boolean mayLoseAllText() {
    return mayLoseAllText;
  }
}
