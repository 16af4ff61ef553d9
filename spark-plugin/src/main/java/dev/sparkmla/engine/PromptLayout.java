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
import java.util.stream.IntStream;

/**
 * A request's prompt: its texts, and what goes around them, which stays when they are cut.
 * Immutable.
 */
abstract class PromptLayout {
  private static final String SYSTEM = "system";
  private static final String USER = "user";

  private final List<String> texts;
  private final GuardedPrompt whole;
  private final OverflowPolicy overflow;

  private PromptLayout(List<String> texts, GuardedPrompt whole, OverflowPolicy overflow) {
    this.texts = texts;
    this.whole = whole;
    this.overflow = overflow;
  }

  /**
   * Lays out a request's prompt.
   *
   * @throws RowErrorException if there is nothing in it, or no template that takes it
   */
  static PromptLayout of(
      GenerationRequest request, Tokenizer tokenizer, Optional<ChatTemplate> template) {
    if (request.prompt() instanceof Prompt.Raw raw) {
      if (raw.text().isEmpty()) {
        throw new RowErrorException(ErrorCode.EMPTY_PROMPT, "The prompt is an empty text.");
      }
      if (request.system().isEmpty()) {
        return new Raw(raw.text(), tokenizer, request.overflow());
      }
    }
    ChatTemplate present =
        template.orElseThrow(
            () ->
                new RowErrorException(
                    ErrorCode.INVALID_PROMPT,
                    "The model has no chat template; give the prompt as one text, without a system"
                        + " message."));
    return new Chat(messages(request), tokenizer, present, request.overflow());
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
                + (message.role() == null ? "role" : "content")
                + "; both must be given.");
      }
    }
    if (request.system().isPresent()
        && messages.stream().noneMatch(message -> message.role().equals(SYSTEM))) {
      messages.add(0, new Message(SYSTEM, request.system().get()));
    }
    return messages;
  }

  /** The texts that may be cut. */
  final List<String> texts() {
    return texts;
  }

  /** The prompt with all of its texts. */
  final GuardedPrompt whole() {
    return whole;
  }

  /** What to do where it is too long. */
  final OverflowPolicy overflow() {
    return overflow;
  }

  /**
   * The prompt with other texts in the place of its own.
   *
   * @throws RowErrorException if the template refuses them
   */
  abstract GuardedPrompt with(List<String> otherTexts);

  /** Whether a prompt whose texts are empty is still one. */
  abstract boolean mayLoseAllText();

  /** A text to be continued as it stands. */
  private static final class Raw extends PromptLayout {
    private final Tokenizer tokenizer;

    Raw(String text, Tokenizer tokenizer, OverflowPolicy overflow) {
      super(List.of(text), tokenizer.guard(text), overflow);
      this.tokenizer = tokenizer;
    }

    @Override
    GuardedPrompt with(List<String> otherTexts) {
      return tokenizer.guard(otherTexts.get(0));
    }

    @Override
    boolean mayLoseAllText() {
      return false;
    }
  }

  /** A conversation, laid out by the model's template. */
  private static final class Chat extends PromptLayout {
    private final List<Message> messages;
    private final Tokenizer tokenizer;
    private final ChatTemplate template;

    Chat(
        List<Message> messages,
        Tokenizer tokenizer,
        ChatTemplate template,
        OverflowPolicy overflow) {
      super(
          messages.stream().map(Message::content).toList(),
          guard(messages, tokenizer, template),
          overflow);
      this.messages = messages;
      this.tokenizer = tokenizer;
      this.template = template;
    }

    @Override
    GuardedPrompt with(List<String> otherTexts) {
      List<Message> replaced =
          IntStream.range(0, otherTexts.size())
              .mapToObj(i -> new Message(messages.get(i).role(), otherTexts.get(i)))
              .toList();
      return guard(replaced, tokenizer, template);
    }

    private static GuardedPrompt guard(
        List<Message> messages, Tokenizer tokenizer, ChatTemplate template) {
      try {
        return tokenizer.guard(template, messages);
      } catch (ChatTemplateException e) {
        throw new RowErrorException(
            ErrorCode.INVALID_PROMPT,
            "The model's chat template refuses the conversation: " + e.getMessage());
      }
    }

    @Override
    boolean mayLoseAllText() {
      return true;
    }
  }
}
