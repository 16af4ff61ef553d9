package dev.sparkmla.engine;

import dev.sparkmla.arrow.ErrorCode;
import dev.sparkmla.arrow.GenerationRequest;
import dev.sparkmla.arrow.OverflowPolicy;
import dev.sparkmla.arrow.Prompt;
import dev.sparkmla.text.ChatTemplate;
import dev.sparkmla.text.ChatTemplateException;
import dev.sparkmla.text.Conversation;
import dev.sparkmla.text.GuardedPrompt;
import dev.sparkmla.text.Message;
import dev.sparkmla.text.TemplateOptions;
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
  private static final String ASSISTANT = "assistant";

  private final List<String> texts;
  private final OverflowPolicy overflow;
  private final PromptKind kind;
  private final Function<List<String>, GuardedPrompt> layout;
  private final Optional<GuardedPrompt> whole;

  private PromptLayout(
      List<String> texts,
      OverflowPolicy overflow,
      PromptKind kind,
      Function<List<String>, GuardedPrompt> layout,
      long mostCharacters) {
    this.texts = texts;
    this.overflow = overflow;
    this.kind = kind;
    this.layout = layout;
    this.whole =
        characters(texts) <= mostCharacters ? Optional.of(layout.apply(texts)) : Optional.empty();
  }

  /**
   * Lays out a request's prompt.
   *
   * @param options what a template is given beside the messages
   * @param mostCharacters a prompt whose texts have more is not laid out as a whole
   * @throws RowErrorException if there is nothing in it, or no template that takes it
   * @throws dev.sparkmla.text.TextTooLongException if the tokenizer does not take it
   */
  static PromptLayout of(
      GenerationRequest request,
      TemplateOptions options,
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
            PromptKind.TEXT,
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
    if (options.continuesFinalMessage()) {
      requireFinalAssistant(messages);
    }
    return new PromptLayout(
        messages.stream()
            .map(message -> message.content() == null ? "" : message.content())
            .toList(),
        request.overflow(),
        options.continuesFinalMessage() ? PromptKind.CONTINUED_MESSAGE : PromptKind.CONVERSATION,
        texts -> conversation(messages, texts, options, tokenizer, present),
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
      Optional<String> problem = problem(messages.get(i));
      if (problem.isPresent()) {
        throw new RowErrorException(
            ErrorCode.INVALID_PROMPT,
            "Message " + (i + 1) + " of the conversation has " + problem.get() + ".");
      }
    }
    if (request.system().isPresent()
        && messages.stream().noneMatch(message -> message.role().equals(SYSTEM))) {
      messages.add(0, new Message(SYSTEM, request.system().get()));
    }
    return messages;
  }

  private static Optional<String> problem(Message message) {
    try {
      return message.problem();
    } catch (ChatTemplateException e) {
      throw new RowErrorException(ErrorCode.INVALID_PROMPT, e.getMessage() + ".");
    }
  }

  private static void requireFinalAssistant(List<Message> messages) {
    Message last = messages.get(messages.size() - 1);
    if (!last.role().equals(ASSISTANT) || last.content() == null) {
      throw new RowErrorException(
          ErrorCode.INVALID_PROMPT,
          "continue_final_message continues a text of the assistant, but the last message is of "
              + last.role()
              + (last.content() == null ? " and has no text." : "."));
    }
  }

  /** A conversation with other contents in the place of its messages' own. */
  private static GuardedPrompt conversation(
      List<Message> messages,
      List<String> contents,
      TemplateOptions options,
      Tokenizer tokenizer,
      ChatTemplate template) {
    List<Message> replaced =
        IntStream.range(0, contents.size())
            .mapToObj(i -> replaced(messages.get(i), contents.get(i)))
            .toList();
    try {
      return tokenizer.guard(template, new Conversation(replaced, options));
    } catch (ChatTemplateException e) {
      throw new RowErrorException(
          ErrorCode.INVALID_PROMPT,
          "The model's chat template refuses the conversation: " + e.getMessage());
    }
  }

  /** A message without content, which calls tools, stays so. */
  private static Message replaced(Message message, String content) {
    return message.content() == null ? message : message.withContent(content);
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

  /** What it is. */
  PromptKind kind() {
    return kind;
  }

  /** Whether a prompt whose texts are empty is still one. */
  boolean mayLoseAllText() {
    return switch (kind) {
      case TEXT -> false;
      case CONVERSATION, CONTINUED_MESSAGE -> true;
    };
  }
}
