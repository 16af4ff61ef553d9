package dev.sparkmla.text;

import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * The tokenizer and the chat template of a model folder, and what they make of prompts without the
 * model. Thread-safe; it owns its tokenizer.
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
   * tokenizer_config.json and chat_template.jinja, of which the last two need not be there.
   *
   * @throws TextFormatException when the tokenizer or its template cannot be used
   */
  public static PromptText open(Path folder) {
    TokenizerConfig config = TokenizerConfig.read(folder);
    Optional<ChatTemplate> template = ChatTemplate.open(folder, config);
    return new PromptText(folder, Tokenizer.open(folder, config), template);
  }

  /** The tokenizer, which is closed with this. */
  public Tokenizer tokenizer() {
    return tokenizer;
  }

  /** The chat template; empty when the model has none. */
  public Optional<ChatTemplate> template() {
    return template;
  }

  /**
   * The tokens of a text that is to be continued as it stands, with what the tokenizer puts around
   * it. An empty text, which no engine takes, has none.
   */
  public int countTokens(String text) {
    return text.isEmpty() ? 0 : tokenizer.encodePrompt(text).length;
  }

  /**
   * The tokens of a conversation, with what the template puts around its messages.
   *
   * @throws ChatTemplateException when the template refuses it, or it has no messages
   * @throws TextFormatException when the model has no template
   */
  public int countTokens(List<Message> messages) {
    return tokenizer.encodeChat(templateFor(messages), Conversation.of(messages)).length;
  }

  /**
   * A conversation as the template lays it out, up to where the assistant's answer begins.
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
