package dev.sparkmla.arrow;

import dev.sparkmla.text.Message;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.vector.FieldVector;
import org.apache.arrow.vector.VarCharVector;
import org.apache.arrow.vector.VectorSchemaRoot;
import org.apache.arrow.vector.complex.ListVector;
import org.apache.arrow.vector.complex.MapVector;
import org.apache.arrow.vector.complex.StructVector;

/**
 * The requests of a batch of rows, as three Arrow columns:
 *
 * <ol>
 *   <li>prompts, {@code utf8} or {@code list<struct<role: utf8, content: utf8>>}, whose messages
 *       may also have {@link #MESSAGE_FIELDS}: utf8; NULL where nothing is asked for;
 *   <li>generation parameters by name, {@code map<utf8, utf8>}; a NULL map is an empty one, and an
 *       entry with a NULL value is left out;
 *   <li>system messages, {@code utf8}; NULL for none.
 * </ol>
 *
 * <p><b>Ownership.</b> A batch owns its columns and the allocator that holds them, and frees both
 * when it is closed. It has one owner at a time, who closes it or hands it over.
 *
 * <p>Not thread-safe: a thread that takes it over has to see what the one before has done.
 */
public final class RequestBatch implements AutoCloseable {
  /** A message's further fields, as a JSON object; NULL for none. */
  public static final String MESSAGE_FIELDS = "__spark_mla_fields";

  private static final int PROMPT = 0;
  private static final int PARAMS = 1;
  private static final int SYSTEM = 2;

  private final VectorSchemaRoot columns;
  private final BufferAllocator allocator;
  private final FieldVector prompts;
  private final MapVector params;
  private final VarCharVector names;
  private final VarCharVector values;
  private final VarCharVector systems;
  private final OverflowPolicy overflow;
  private final Map<String, String> commonParams;

  /**
   * Takes ownership of columns and allocator, unless it throws.
   *
   * @param columns as described above; nobody writes to them any more
   * @param allocator holds the columns and nothing else
   * @param overflow of all rows
   * @param commonParams generation parameters of all rows, which hold before a row's own
   * @throws IllegalArgumentException when the columns have other types
   */
  public RequestBatch(
      VectorSchemaRoot columns,
      BufferAllocator allocator,
      OverflowPolicy overflow,
      Map<String, String> commonParams) {
    this.columns = columns;
    this.allocator = allocator;
    this.overflow = overflow;
    this.commonParams = Map.copyOf(commonParams);
    this.prompts = columns.getVector(PROMPT);
    if (!(prompts instanceof VarCharVector || prompts instanceof ListVector)
        || !(columns.getVector(PARAMS) instanceof MapVector mapped)
        || !(columns.getVector(SYSTEM) instanceof VarCharVector texts)) {
      throw new IllegalArgumentException(
          "the columns are "
              + columns.getSchema()
              + "; expected utf8 or list<struct<role, content>>, map<utf8, utf8>, utf8");
    }
    this.params = mapped;
    StructVector entries = (StructVector) mapped.getDataVector();
    this.names = entries.getChild(MapVector.KEY_NAME, VarCharVector.class);
    this.values = entries.getChild(MapVector.VALUE_NAME, VarCharVector.class);
    this.systems = texts;
  }

  /** Rows of the batch. */
  public int rows() {
    return columns.getRowCount();
  }

  /**
   * The parent of the batch's own allocator; the allocator of its results can be a child of it too.
   */
  public BufferAllocator parentAllocator() {
    return allocator.getParentAllocator();
  }

  /**
   * What a row asks for, copied from the columns. Bytes that are no UTF-8 become U+FFFD. A NULL
   * message, role or content of a conversation becomes null.
   *
   * @return empty where the prompt is NULL
   */
  public Optional<GenerationRequest> request(int row) {
    if (prompts.isNull(row)) {
      return Optional.empty();
    }
    Prompt prompt =
        prompts instanceof VarCharVector texts
            ? new Prompt.Raw(text(texts, row))
            : new Prompt.Chat(messages((ListVector) prompts, row));
    return Optional.of(
        new GenerationRequest(
            prompt, Optional.ofNullable(text(systems, row)), params(row), overflow));
  }

  private static List<Message> messages(ListVector conversations, int row) {
    StructVector messages = (StructVector) conversations.getDataVector();
    VarCharVector roles = messages.getChild("role", VarCharVector.class);
    VarCharVector contents = messages.getChild("content", VarCharVector.class);
    VarCharVector fields = messages.getChild(MESSAGE_FIELDS, VarCharVector.class);
    List<Message> conversation = new ArrayList<>();
    int end = conversations.getElementEndIndex(row);
    for (int i = conversations.getElementStartIndex(row); i < end; i++) {
      conversation.add(
          messages.isNull(i)
              ? new Message(null, null)
              : new Message(
                  text(roles, i),
                  text(contents, i),
                  Optional.ofNullable(fields == null ? null : text(fields, i))));
    }
    return conversation;
  }

  private Map<String, String> params(int row) {
    if (params.isNull(row)) {
      return commonParams;
    }
    Map<String, String> named = new HashMap<>();
    int end = params.getElementEndIndex(row);
    for (int i = params.getElementStartIndex(row); i < end; i++) {
      if (!values.isNull(i)) {
        named.put(text(names, i), text(values, i));
      }
    }
    named.putAll(commonParams);
    return named;
  }

  /** Null where the row is NULL. */
  private static String text(VarCharVector texts, int row) {
    return texts.isNull(row) ? null : new String(texts.get(row), StandardCharsets.UTF_8);
  }

  /**
   * Frees the columns and the allocator.
   *
   * @throws IllegalStateException if the allocator holds something else
   */
  @Override
  public void close() {
    columns.close();
    allocator.close();
  }
}
