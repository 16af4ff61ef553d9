package dev.sparkmla.text;

import dev.sparkmla.text.jinja.Callable;
import dev.sparkmla.text.jinja.Template;
import dev.sparkmla.text.jinja.TemplateException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CancellationException;

/**
 * A model's chat template: chat_template.jinja, else chat_template of tokenizer_config.json, where
 * a list of named templates stands for its "default". Rendered as transformers does: trim_blocks
 * and lstrip_blocks on, the tokenizer's named tokens and {@code raise_exception} given, no tools
 * and no documents. Thread-safe.
 */
public final class ChatTemplate {
  private final Path file;
  private final String source;
  private final Map<String, String> namedTokens;
  private final Template template;

  private ChatTemplate(Path file, String source, Map<String, String> namedTokens) {
    this.file = file;
    this.source = source;
    this.namedTokens = namedTokens;
    try {
      this.template = Template.parse(source);
    } catch (TemplateException e) {
      throw new TextFormatException(file, "is no template: " + e.getMessage(), e);
    } catch (RuntimeException | StackOverflowError e) {
      throw new TextFormatException(file, "is no template: parsing it failed: " + e, e);
    }
  }

  /**
   * Opens the template of a model folder.
   *
   * @return empty when the model has none
   * @throws TextFormatException when a file of it cannot be used
   */
  static Optional<ChatTemplate> open(Path folder, TokenizerConfig config) {
    Path file = folder.resolve("chat_template.jinja");
    if (Files.exists(file)) {
      return Optional.of(new ChatTemplate(file, TextFiles.read(file), config.tokens()));
    }
    return config
        .chatTemplate()
        .map(source -> new ChatTemplate(config.file(), source, config.tokens()));
  }

  /** Whether the template's own text holds a spelling. */
  boolean writes(String spelling) {
    return source.contains(spelling);
  }

  /**
   * Lays out a conversation, with what invites the assistant's answer at the end.
   *
   * @throws ChatTemplateException when the template refuses it or fails on it
   */
  public String render(List<Message> messages) {
    List<Object> values = new ArrayList<>();
    for (Message message : messages) {
      Map<String, Object> value = new LinkedHashMap<>();
      value.put("role", LoneSurrogates.replaced(message.role()));
      value.put("content", LoneSurrogates.replaced(message.content()));
      values.add(value);
    }
    Map<String, Object> variables = new HashMap<>(namedTokens);
    variables.put("messages", values);
    variables.put("add_generation_prompt", true);
    variables.put("tools", null);
    variables.put("documents", null);
    variables.put("raise_exception", (Callable) TemplateFunctions::raise);
    variables.put("strftime_now", (Callable) TemplateFunctions::now);
    try {
      return LoneSurrogates.replaced(template.render(variables));
    } catch (TemplateException e) {
      throw new ChatTemplateException(e.isRaised() ? e.getMessage() : file + ": " + e.getMessage());
    } catch (CancellationException e) {
      throw e;
    } catch (RuntimeException | StackOverflowError e) {
      // The limits are there so that this does not happen; a row in error is better than a task.
      throw new ChatTemplateException(file + ": the template failed: " + e);
    }
  }
}
