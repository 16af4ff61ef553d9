package dev.sparkmla.text;

import dev.sparkmla.text.jinja.Template;
import dev.sparkmla.text.jinja.TemplateException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.BiFunction;
import java.util.function.UnaryOperator;

/**
 * A conversation as the values that a template gets. Immutable.
 *
 * @param messages a dictionary for each message, in order
 * @param tools a list; null where there are none, which is what templates expect
 * @param variables further variables
 * @param continuesFinalMessage whether the last message is continued
 */
record TemplateInput(
    List<Map<String, Object>> messages,
    Object tools,
    Map<String, Object> variables,
    boolean continuesFinalMessage) {
  /** The role of texts in tools and variables, which belong to no message. */
  private static final String NOBODY = "";

  /**
   * Converts a conversation; lone surrogates become U+FFFD.
   *
   * @throws ChatTemplateException when a part of it cannot be given to a template, because it holds
   *     an integer of more than 64 bits, for example
   */
  static TemplateInput of(Conversation conversation) {
    TemplateOptions options = conversation.options();
    return new TemplateInput(
            conversation.messages().stream().map(Message::values).toList(),
            value("tools", options.tools()),
            options.variables().isPresent()
                ? dictionary("chat_template_kwargs", options.variables())
                : Map.of(),
            options.continuesFinalMessage())
        .withTexts((role, text) -> LoneSurrogates.replaced(text));
  }

  private static Object value(String name, Optional<String> json) {
    try {
      return json.map(Template::value).orElse(null);
    } catch (TemplateException e) {
      throw new ChatTemplateException(name + ": " + e.getMessage());
    }
  }

  @SuppressWarnings("unchecked") // JSON objects are dictionaries with texts as keys.
  private static Map<String, Object> dictionary(String name, Optional<String> json) {
    return (Map<String, Object>) value(name, json);
  }

  /**
   * This input with every text in messages, tools and variables replaced. The names of a message's
   * fields and of variables stay.
   *
   * @param change from the role of the text's message (empty in tools and variables) and the text
   *     to the new text
   */
  TemplateInput withTexts(BiFunction<String, String, String> change) {
    return new TemplateInput(
        messages.stream()
            .map(
                message -> {
                  String role = String.valueOf(message.get("role"));
                  return changed(message, text -> change.apply(role, text));
                })
            .toList(),
        changed(tools, text -> change.apply(NOBODY, text)),
        changed(variables, text -> change.apply(NOBODY, text)),
        continuesFinalMessage);
  }

  private static Map<String, Object> changed(
      Map<String, Object> fields, UnaryOperator<String> change) {
    Map<String, Object> changed = new LinkedHashMap<>();
    fields.forEach((name, value) -> changed.put(name, changed(value, change)));
    return changed;
  }

  private static Object changed(Object value, UnaryOperator<String> change) {
    if (value instanceof String text) {
      return change.apply(text);
    }
    if (value instanceof List<?> items) {
      List<Object> changed = new ArrayList<>(items.size());
      items.forEach(item -> changed.add(changed(item, change)));
      return changed;
    }
    if (value instanceof Map<?, ?> entries) {
      Map<Object, Object> changed = new LinkedHashMap<>();
      entries.forEach((key, item) -> changed.put(changed(key, change), changed(item, change)));
      return changed;
    }
    return value;
  }

  /** The text of the last message. */
  String finalContent() {
    return String.valueOf(messages.get(messages.size() - 1).get("content"));
  }

  /** This input with another text of the last message. */
  TemplateInput withFinalContent(String content) {
    List<Map<String, Object>> marked = new ArrayList<>(messages);
    Map<String, Object> last = new LinkedHashMap<>(marked.get(marked.size() - 1));
    last.put("content", content);
    marked.set(marked.size() - 1, last);
    return new TemplateInput(marked, tools, variables, continuesFinalMessage);
  }
}
