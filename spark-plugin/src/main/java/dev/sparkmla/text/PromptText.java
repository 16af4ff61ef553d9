package dev.sparkmla.text;

import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * The tokenizer and the chat template of a model folder. They count the tokens of prompts and
 * render conversations without the model's weights. Thread-safe; it owns the tokenizer.
 */
public final class PromptText implements AutoCloseable {
  private final Path folder;
  private final Tokenizer tokenizer;
  private final Optional<ChatTemplate> template;

  private PromptText(Path folder, Tokenizer tokenizer, Optional<ChatTemplate> template) {
    this.folder = folder;
    this.tokenizer = tokenizer;
    this.template = template;
  }

  /**
   * Opens the text files of a model folder: tokenizer.json (or tiktoken.model, or tekken.json),
   * tokenizer_config.json and chat_template.jinja, of which the last two are optional.
   *
   * @throws TextFormatException when the tokenizer or its template cannot be used
   */
  public static PromptText open(Path folder) {
    TokenizerConfig config = TokenizerConfig.read(folder);
    Optional<ChatTemplate> template = ChatTemplate.open(folder, config);
    return new PromptText(folder, Tokenizer.open(folder, config), template);
  }

  /** The tokenizer, which is closed when this is closed. */
  public Tokenizer tokenizer() {
    return tokenizer;
  }

  /** The chat template; empty when the model has none. */
  public Optional<ChatTemplate> template() {
    return template;
  }

  /**
   * The number of tokens of a text that is to be continued, with those that the tokenizer adds
   * around every text; 0 for an empty text, which an engine refuses.
   *
   * @throws TextTooLongException when a run of white space or of other characters is too long
   */
  public int countTokens(String text) {
    return text.isEmpty() ? 0 : tokenizer.encodePrompt(text).length;
  }

  /**
   * The number of tokens of a conversation, with those that the template adds around messages.
   *
   * @throws ChatTemplateException when the template refuses it, or it has no messages
   * @throws TextFormatException when the model has no template
   */
  public int countTokens(List<Message> messages) {
    return tokenizer.encodeChat(templateFor(messages), Conversation.of(messages)).length;
  }

  /**
   * A conversation as the template renders it, up to where the assistant's answer begins.
   *
   * @throws ChatTemplateException when the template refuses it, or it has no messages
   * @throws TextFormatException when the model has no template
   */
  public String renderChat(List<Message> messages) {
    return templateFor(messages).render(Conversation.of(messages));
  }

  private ChatTemplate templateFor(List<Message> messages) {
    ChatTemplate present =
        template.orElseThrow(
            () ->
                new TextFormatException(
                    folder.resolve("tokenizer_config.json"),
                    "has no chat_template, and there is no chat_template.jinja;"
                        + " conversations need one"));
    if (messages.isEmpty()) {
      throw new ChatTemplateException("a conversation needs at least one message");
    }
    return present;
  }

  @Override
  public void close() {
    tokenizer.close();
  }
}
