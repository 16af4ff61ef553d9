package dev.sparkmla.jobs.input;

import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.sparkmla.text.LoneSurrogates;
import java.io.IOException;
import java.util.List;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;

/**
 * What a JSON value is as a prompt. None of the three is there for null.
 *
 * @param text to be continued as it stands; may be null
 * @param messages a conversation, as {@link dev.sparkmla.sql.ToMessages} makes them; may be null
 * @param problem why the value is no prompt; null where it is one
 */
record JsonPrompt(String text, Object[] messages, String problem) {
  /** A value that is null, or not there. */
  static final JsonPrompt NULL = new JsonPrompt(null, null, null);

  private static final ObjectMapper JSON = new ObjectMapper(LineReader.FACTORY);

  /** Why a value is no conversation. */
  private static final class NoConversation extends Exception {
    private static final long serialVersionUID = 1L;

    NoConversation(String reason) {
      super(reason, null, false, false);
    }
  }

  /**
   * Makes a prompt of a value.
   *
   * @param first the value's first token
   * @param text a text as it is, any other value as its JSON text
   * @param asText whether a value that is no text is to be taken as one
   */
  static JsonPrompt of(JsonToken first, String text, boolean asText) throws IOException {
    if (first == JsonToken.VALUE_NULL) {
      return NULL;
    }
    if (first == JsonToken.VALUE_STRING || asText) {
      return new JsonPrompt(text, null, null);
    }
    return first == JsonToken.START_ARRAY
        ? conversation(text)
        : refused(
            "the prompt is " + LineReader.kind(first) + "; --prompt-as-text takes it as text");
  }

  private static JsonPrompt refused(String problem) {
    return new JsonPrompt(null, null, problem);
  }

  private static JsonPrompt conversation(String text) throws IOException {
    try {
      JsonNode list = JSON.readTree(text);
      Object[] messages = new Object[list.size()];
      for (int i = 0; i < messages.length; i++) {
        messages[i] = message(list.get(i), "message " + (i + 1) + " of the prompt");
      }
      return new JsonPrompt(null, messages, null);
    } catch (NoConversation problem) {
      return refused(problem.getMessage());
    }
  }

  private static Row message(JsonNode message, String name) throws NoConversation {
    JsonNode role = message.path("role");
    if (!role.isTextual()) {
      throw new NoConversation(name + " has no role that is a text");
    }
    return RowFactory.create(
        LoneSurrogates.replaced(role.textValue()), content(message, name), fields(message));
  }

  /** What a message has beside its role and content, for the chat template; null for nothing. */
  private static String fields(JsonNode message) {
    ObjectNode fields = message.deepCopy();
    fields.remove(List.of("role", "content"));
    return fields.isEmpty() ? null : LoneSurrogates.replaced(fields.toString());
  }

  /** Null where a message calls tools instead. */
  private static String content(JsonNode message, String name) throws NoConversation {
    JsonNode content = message.path("content");
    boolean absent = content.isMissingNode() || content.isNull();
    return absent && message.hasNonNull("tool_calls")
        ? null
        : LoneSurrogates.replaced(text(content, name));
  }

  private static String text(JsonNode content, String name) throws NoConversation {
    if (content.isTextual()) {
      return content.textValue();
    }
    if (!content.isArray()) {
      throw new NoConversation(name + " has no content that is a text or a list of parts");
    }
    StringBuilder texts = new StringBuilder();
    for (JsonNode part : content) {
      JsonNode text = part.path("text");
      if (!part.path("type").asText().equals("text") || !text.isTextual()) {
        throw new NoConversation(
            name
                + " has a part "
                + (part.path("type").isTextual()
                    ? "of type " + Lines.excerpt(part.get("type").textValue())
                    : "without a type")
                + "; the model reads parts of type text");
      }
      texts.append(text.textValue());
    }
    return texts.toString();
  }
}
