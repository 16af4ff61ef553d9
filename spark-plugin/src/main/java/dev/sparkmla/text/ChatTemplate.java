package dev.sparkmla.text;

import dev.sparkmla.text.jinja.Callable;
import dev.sparkmla.text.jinja.Template;
import dev.sparkmla.text.jinja.TemplateException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CancellationException;

/**
 * A model's chat template: the file chat_template.jinja, or else the field chat_template of
 * tokenizer_config.json (of a list of named templates, the one named "default"). It is rendered as
 * the transformers library does: with trim_blocks and lstrip_blocks, with the tokenizer's named
 * tokens and {@code raise_exception}, and without documents. Thread-safe.
 */
public final class ChatTemplate {
  /** Names of variables that no request may give a value of its own. */
  public static final Set<String> RESERVED_VARIABLES =
      Set.of("messages", "add_generation_prompt", "tools", "raise_exception", "strftime_now");

  /** Stands behind a message that is continued, to find its end in what is laid out. */
  private static final String END_OF_CONTINUED = PrivateUse.randomText(new SecureRandom());

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
   * Lays out a conversation, with what invites the assistant's answer at the end, or up to the end
   * of the last message where that is continued.
   *
   * @throws ChatTemplateException when the template refuses it or fails on it, or does not write
   *     the message that is to be continued
   */
  public String render(Conversation conversation) {
    return render(TemplateInput.of(conversation));
  }

  String render(TemplateInput input) {
    if (!input.continuesFinalMessage()) {
      return renderWhole(input);
    }
    // The blank shows whether the template strips contents.
    String content = input.finalContent();
    String whole = renderWhole(input.withFinalContent(content + END_OF_CONTINUED + " "));
    int end = whole.lastIndexOf(END_OF_CONTINUED);
    if (end < 0 || !whole.contains(content.strip())) {
      throw new ChatTemplateException(
          "the template does not write the last message as it is, so that it cannot be continued");
    }
    String continued = whole.substring(0, end);
    return whole.startsWith(END_OF_CONTINUED + " ", end) ? continued : continued.stripTrailing();
  }

  private String renderWhole(TemplateInput input) {
    Map<String, Object> variables = new HashMap<>(namedTokens);
    variables.put("documents", null);
    variables.putAll(input.variables());
    variables.put("messages", input.messages());
    variables.put("add_generation_prompt", !input.continuesFinalMessage());
    variables.put("tools", input.tools());
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
