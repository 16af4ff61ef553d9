package dev.sparkmla.text;

import com.fasterxml.jackson.databind.JsonNode;
import com.hubspot.jinjava.Jinjava;
import com.hubspot.jinjava.JinjavaConfig;
import com.hubspot.jinjava.LegacyOverrides;
import com.hubspot.jinjava.interpret.RenderResult;
import com.hubspot.jinjava.interpret.TemplateError;
import com.hubspot.jinjava.lib.fn.ELFunctionDefinition;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

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
  private final Jinjava jinjava;

  private ChatTemplate(Path file, String source, Map<String, String> namedTokens) {
    this.file = file;
    this.source = source.endsWith("\n") ? source.substring(0, source.length() - 1) : source;
    this.namedTokens = namedTokens;
    this.jinjava = new Jinjava(jinjavaConfig());
    jinjava.registerFunction(
        new ELFunctionDefinition(
            "", "raise_exception", TemplateFunctions.class, "raise", String.class));
    jinjava.registerFunction(
        new ELFunctionDefinition("", "strftime_now", TemplateFunctions.class, "now", String.class));
    jinjava.registerFilter(new ToJsonFilter());
  }

  private static JinjavaConfig jinjavaConfig() {
    return JinjavaConfig.newBuilder()
        .withTrimBlocks(true)
        .withLstripBlocks(true)
        .withKeepTrailingNewline(true)
        .withNestedInterpretationEnabled(false)
        .withElResolver(PythonMethods.resolver())
        .withLegacyOverrides(
            LegacyOverrides.newBuilder()
                .withEvaluateMapKeys(true)
                .withIterateOverMapKeys(true)
                .withUsePyishObjectMapper(false)
                .withUseNaturalOperatorPrecedence(true)
                .withParseWhitespaceControlStrictly(true)
                .withAllowAdjacentTextNodes(true)
                .withUseTrimmingForNotesAndExpressions(true)
                .withKeepNullableLoopValues(true)
                .withHandleBackslashInQuotesOnly(true)
                .build())
        .build();
  }

  /**
   * Opens the template of a model folder.
   *
   * @return empty when the model has none
   * @throws TextFormatException when a file of it cannot be used
   */
  public static Optional<ChatTemplate> open(Path folder) {
    Path config = folder.resolve("tokenizer_config.json");
    JsonNode fields =
        Files.exists(config) ? TextFiles.readObject(config) : TextFiles.JSON.createObjectNode();
    Map<String, String> namedTokens = NamedTokens.all(fields);
    Path file = folder.resolve("chat_template.jinja");
    if (Files.exists(file)) {
      return Optional.of(new ChatTemplate(file, TextFiles.read(file), namedTokens));
    }
    JsonNode template = fields.path("chat_template");
    if (template.isMissingNode() || template.isNull()) {
      return Optional.empty();
    }
    if (template.isArray()) {
      template = named("default", template);
    }
    if (!template.isTextual()) {
      throw new TextFormatException(
          config, "chat_template is no string; expected one, or a list with one named default");
    }
    return Optional.of(new ChatTemplate(config, template.textValue(), namedTokens));
  }

  private static JsonNode named(String name, JsonNode templates) {
    for (JsonNode template : templates) {
      if (template.path("name").asText().equals(name)) {
        return template.path("template");
      }
    }
    return templates;
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
    List<Map<String, Object>> values = new ArrayList<>();
    for (Message message : messages) {
      Map<String, Object> value = new LinkedHashMap<>();
      value.put("role", message.role());
      value.put("content", message.content());
      values.add(value);
    }
    Map<String, Object> bindings = new HashMap<>(namedTokens);
    bindings.put("messages", values);
    bindings.put("add_generation_prompt", true);
    RenderResult result = jinjava.renderForResult(source, bindings);
    for (TemplateError error : result.getErrors()) {
      if (error.getSeverity() == TemplateError.ErrorType.FATAL) {
        throw refused(error);
      }
    }
    return result.getOutput();
  }

  private ChatTemplateException refused(TemplateError error) {
    for (Throwable cause = error.getException(); cause != null; cause = cause.getCause()) {
      if (cause instanceof TemplateFunctions.RaisedException) {
        return new ChatTemplateException(cause.getMessage());
      }
    }
    return new ChatTemplateException(
        file + ", line " + error.getLineno() + ": " + error.getMessage());
  }
}
