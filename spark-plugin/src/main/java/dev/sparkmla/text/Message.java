package dev.sparkmla.text;

import dev.sparkmla.text.jinja.Template;
import dev.sparkmla.text.jinja.TemplateException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * One message of a conversation. Immutable.
 *
 * @param role system, user, assistant or another one that the model's template knows; null where
 *     the message has none
 * @param content the message's text; null where it has none
 * @param fields further fields for the template as a JSON object, such as {@code name} and {@code
 *     tool_calls}; also {@code content} where that is not a text, and then the component {@code
 *     content} is null
 */
public record Message(String role, String content, Optional<String> fields) {
  private static final String CONTENT = "content";

  /** A message without further fields. */
  public Message(String role, String content) {
    this(role, content, Optional.empty());
  }

  /** This message with another text. */
  public Message withContent(String other) {
    return new Message(role, other, fields);
  }

  /**
   * The message as the dictionary that a template gets.
   *
   * @throws ChatTemplateException when the fields cannot be given to a template, because they hold
   *     an integer of more than 64 bits, for example
   */
  Map<String, Object> values() {
    Map<String, Object> values = new LinkedHashMap<>();
    values.put("role", role);
    values.put(CONTENT, content);
    fieldValues().forEach((name, value) -> values.putIfAbsent(String.valueOf(name), value));
    return values;
  }

  private Map<?, ?> fieldValues() {
    try {
      if (fields.map(Template::value).orElse(Map.of()) instanceof Map<?, ?> values) {
        return values;
      }
    } catch (TemplateException e) {
      throw new ChatTemplateException("a message's fields: " + e.getMessage());
    }
    throw new ChatTemplateException("a message's fields are no JSON object");
  }

  /**
   * Why the message cannot be given to a template, as the end of the sentence "the message has
   * ...".
   *
   * @return empty where it can
   * @throws ChatTemplateException as {@link #values} does
   */
  public Optional<String> problem() {
    if (role == null) {
      return Optional.of("no role; it must be given");
    }
    if (content != null) {
      return Optional.empty();
    }
    Map<?, ?> others = fieldValues();
    if (others.get(CONTENT) instanceof List<?> parts) {
      return parts.stream().filter(part -> !isText(part)).findFirst().map(Message::name);
    }
    return others.get("tool_calls") == null
        ? Optional.of("no content; it must be a text, or a list of parts that are all of type text")
        : Optional.empty();
  }

  private static boolean isText(Object part) {
    return part instanceof Map<?, ?> fields
        && "text".equals(fields.get("type"))
        && fields.get("text") instanceof String;
  }

  private static String name(Object part) {
    Object type = part instanceof Map<?, ?> fields ? fields.get("type") : null;
    if (type == null) {
      return "a part without a type; the model reads parts of type text";
    }
    return type.equals("text")
        ? "a part of type text without a text"
        : "a part of type " + type + "; the model reads parts of type text";
  }
}
