package dev.sparkmla.arrow;

import dev.sparkmla.engine.ErrorCode;
import dev.sparkmla.engine.GenerationError;
import dev.sparkmla.engine.GenerationRequest;
import dev.sparkmla.engine.OverflowPolicy;
import dev.sparkmla.engine.Prompt;
import dev.sparkmla.text.Message;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.arrow.vector.FieldVector;
import org.apache.arrow.vector.VarCharVector;
import org.apache.arrow.vector.complex.ListVector;
import org.apache.arrow.vector.complex.MapVector;
import org.apache.arrow.vector.complex.StructVector;

/**
 * Reads requests from the columns of a batch of arguments. It owns none of them, and sees what they
 * hold when asked. Not thread-safe.
 */
public final class RequestVectors {
  private final FieldVector prompts;
  private final MapVector params;
  private final VarCharVector systems;
  private final OverflowPolicy overflow;

  /**
   * @param prompts {@code utf8}, or {@code list<struct<role: utf8, content: utf8>>}
   * @param params {@code map<utf8, utf8>}; a NULL map is an empty one, a NULL value as if not named
   * @param systems {@code utf8}; NULL for none
   * @param overflow of all rows
   * @throws IllegalArgumentException when {@code prompts} is neither
   */
  public RequestVectors(
      FieldVector prompts, MapVector params, VarCharVector systems, OverflowPolicy overflow) {
    if (!(prompts instanceof VarCharVector || prompts instanceof ListVector)) {
      throw new IllegalArgumentException(
          "prompts must be utf8 or list<struct<role, content>>, not " + prompts.getField());
    }
    this.prompts = prompts;
    this.params = params;
    this.systems = systems;
    this.overflow = overflow;
  }

  /** What a row asks for. */
  public sealed interface Row {}

  /** Nothing: its prompt is NULL. */
  public record Absent() implements Row {}

  /**
   * A request.
   *
   * @param request what to generate
   */
  public record Asked(GenerationRequest request) implements Row {}

  /**
   * Something that cannot be a request.
   *
   * @param error why
   */
  public record Refused(GenerationError error) implements Row {}

  /** Reads row {@code row}. */
  public Row read(int row) {
    if (prompts.isNull(row)) {
      return new Absent();
    }
    Prompt prompt;
    if (prompts instanceof VarCharVector texts) {
      prompt = new Prompt.Raw(text(texts, row));
    } else {
      Optional<Prompt> chat = chat((ListVector) prompts, row);
      if (chat.isEmpty()) {
        return new Refused(
            new GenerationError(
                ErrorCode.INVALID_PROMPT,
                "a message of the conversation is NULL, or its role or content is"));
      }
      prompt = chat.get();
    }
    Optional<String> system =
        systems.isNull(row) ? Optional.empty() : Optional.of(text(systems, row));
    return new Asked(new GenerationRequest(prompt, system, params(row), overflow));
  }

  private static Optional<Prompt> chat(ListVector conversations, int row) {
    StructVector messages = (StructVector) conversations.getDataVector();
    VarCharVector roles = messages.getChild("role", VarCharVector.class);
    VarCharVector contents = messages.getChild("content", VarCharVector.class);
    List<Message> conversation = new ArrayList<>();
    int end = conversations.getElementEndIndex(row);
    for (int i = conversations.getElementStartIndex(row); i < end; i++) {
      if (messages.isNull(i) || roles.isNull(i) || contents.isNull(i)) {
        return Optional.empty();
      }
      conversation.add(new Message(text(roles, i), text(contents, i)));
    }
    return Optional.of(new Prompt.Chat(conversation));
  }

  private Map<String, String> params(int row) {
    if (params.isNull(row)) {
      return Map.of();
    }
    StructVector entries = (StructVector) params.getDataVector();
    VarCharVector names = entries.getChild(MapVector.KEY_NAME, VarCharVector.class);
    VarCharVector values = entries.getChild(MapVector.VALUE_NAME, VarCharVector.class);
    Map<String, String> named = new HashMap<>();
    int end = params.getElementEndIndex(row);
    for (int i = params.getElementStartIndex(row); i < end; i++) {
      if (!values.isNull(i)) {
        named.put(text(names, i), text(values, i));
      }
    }
    return named;
  }

  /** Bytes that are no UTF-8 become U+FFFD. */
  private static String text(VarCharVector texts, int row) {
    return new String(texts.get(row), StandardCharsets.UTF_8);
  }
}
