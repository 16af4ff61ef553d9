package dev.sparkmla.arrow;

import dev.sparkmla.text.Message;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
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
import org.apache.arrow.vector.util.ReusableByteArray;

/**
 * The requests of a batch of rows: what they have in common, and Arrow columns of what is a row's
 * own, which are found by their names:
 *
 * <ul>
 *   <li>{@link #PROMPT}, {@code utf8} or {@code list<struct<role: utf8, content: utf8>>}, whose
 *       messages may also have {@link #MESSAGE_FIELDS}: utf8; NULL where nothing is asked for;
 *   <li>{@link #PARAMS}, generation parameters by name, {@code map<utf8, utf8>}; a NULL map is an
 *       empty one, and an entry with a NULL value is left out;
 *   <li>{@link #SYSTEM}, system messages, {@code utf8}; NULL for none.
 * </ul>
 *
 * <p>A batch always has prompts. It has one of the other columns only where rows may differ in it,
 * because each column takes time to make, to write and to read.
 *
 * <p><b>Ownership.</b> A batch owns its columns and the allocator that holds them, and frees both
 * when it is closed. It has one owner at a time, who closes it or hands it over.
 *
 * <p>Not thread-safe: a thread that takes it over has to see what the one before has done.
 */
public final class RequestBatch implements AutoCloseable {
  /** The name of the column of prompts. */
  public static final String PROMPT = "prompt";

  /** The name of the column of generation parameters. */
  public static final String PARAMS = "params";

  /** The name of the column of system messages. */
  public static final String SYSTEM = "system";

  /** A message's further fields, as a JSON object; NULL for none. */
  public static final String MESSAGE_FIELDS = "__spark_mla_fields";

  private final VectorSchemaRoot columns;
  private final BufferAllocator allocator;
  private final CommonRequest common;
  private final FieldVector prompts;
  private final Optional<Params> params;
  private final Optional<VarCharVector> systems;

  /** The bytes of the text that is being read. */
  private final ReusableByteArray bytes = new ReusableByteArray();

  /** The column of generation parameters. */
  private record Params(MapVector maps, VarCharVector names, VarCharVector values) {
    static Params of(MapVector maps) {
      StructVector entries = (StructVector) maps.getDataVector();
      return new Params(
          maps,
          entries.getChild(MapVector.KEY_NAME, VarCharVector.class),
          entries.getChild(MapVector.VALUE_NAME, VarCharVector.class));
    }
  }

  /**
   * Takes ownership of columns and allocator, unless it throws.
   *
   * @param columns as described above; nobody writes to them any more
   * @param allocator holds the columns and nothing else
   * @param common what holds for all rows
   * @throws IllegalArgumentException when there is no column of prompts, or a column has another
   *     type
   */
  public RequestBatch(VectorSchemaRoot columns, BufferAllocator allocator, CommonRequest common) {
    this.columns = columns;
    this.allocator = allocator;
    this.common = common;
    this.prompts = columns.getVector(PROMPT);
    FieldVector maps = columns.getVector(PARAMS);
    FieldVector texts = columns.getVector(SYSTEM);
    if (!(prompts instanceof VarCharVector || prompts instanceof ListVector)
        || !(maps == null || maps instanceof MapVector)
        || !(texts == null || texts instanceof VarCharVector)) {
      throw new IllegalArgumentException(
          "the columns are "
              + columns.getSchema()
              + "; expected prompt: utf8 or list<struct<role, content>>, and at most"
              + " params: map<utf8, utf8> and system: utf8");
    }
    this.params = Optional.ofNullable((MapVector) maps).map(Params::of);
    this.systems = Optional.ofNullable((VarCharVector) texts);
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
    return Optional.of(new GenerationRequest(prompt, system(row), params(row), common.overflow()));
  }

  private List<Message> messages(ListVector conversations, int row) {
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

  private Optional<String> system(int row) {
    return systems.isPresent() && !systems.get().isNull(row)
        ? Optional.of(text(systems.get(), row))
        : common.system();
  }

  private Map<String, String> params(int row) {
    if (params.isEmpty() || params.get().maps().isNull(row)) {
      return common.params();
    }
    Params column = params.get();
    Map<String, String> named = new HashMap<>();
    int end = column.maps().getElementEndIndex(row);
    for (int i = column.maps().getElementStartIndex(row); i < end; i++) {
      if (!column.values().isNull(i)) {
        named.put(text(column.names(), i), text(column.values(), i));
      }
    }
    named.putAll(common.params());
    return named;
  }

  /** Null where the row is NULL. */
  private String text(VarCharVector texts, int row) {
    if (texts.isNull(row)) {
      return null;
    }
    texts.read(row, bytes);
    return new String(bytes.getBuffer(), 0, (int) bytes.getLength(), StandardCharsets.UTF_8);
  }

  /** Bytes of a row's system message, if it has its own, and prompt; 0 where the prompt is NULL. */
  public long promptBytes(int row) {
    return prompts.isNull(row) ? 0 : ownSystem(row).bytes() + prompt(row).bytes();
  }

  /**
   * The first bytes of a row's system message, if it has its own, and prompt, roles left out:
   * {@code most} or less.
   */
  public byte[] beginning(int row, int most) {
    if (prompts.isNull(row)) {
      return new byte[0];
    }
    byte[] system = ownSystem(row).beginning(most);
    byte[] prompt = prompt(row).beginning(most - system.length);
    byte[] beginning = Arrays.copyOf(system, system.length + prompt.length);
    System.arraycopy(prompt, 0, beginning, system.length, prompt.length);
    return beginning;
  }

  /** Where texts lie, one after the other. */
  private record Range(VarCharVector texts, int start, int bytes) {
    /** Of the texts {@code first .. end - 1} of a column. */
    static Range of(VarCharVector texts, int first, int end) {
      if (first == end) {
        return new Range(texts, 0, 0);
      }
      int start = texts.getStartOffset(first);
      return new Range(texts, start, texts.getEndOffset(end - 1) - start);
    }

    byte[] beginning(int most) {
      byte[] beginning = new byte[Math.min(most, bytes)];
      if (beginning.length > 0) {
        texts.getDataBuffer().getBytes(start, beginning);
      }
      return beginning;
    }
  }

  private Range ownSystem(int row) {
    return systems
        .map(texts -> Range.of(texts, row, row + 1))
        .orElseGet(() -> new Range(null, 0, 0));
  }

  private Range prompt(int row) {
    if (prompts instanceof VarCharVector texts) {
      return Range.of(texts, row, row + 1);
    }
    ListVector conversations = (ListVector) prompts;
    StructVector messages = (StructVector) conversations.getDataVector();
    return Range.of(
        messages.getChild("content", VarCharVector.class),
        conversations.getElementStartIndex(row),
        conversations.getElementEndIndex(row));
  }

  /**
   * Copies rows into a batch of their own, which the caller owns, with an allocator beside this
   * one's.
   *
   * @throws org.apache.arrow.memory.OutOfMemoryException when the parent has too little left;
   *     nothing is allocated then
   */
  public RequestBatch copyOf(int[] rows) {
    BufferAllocator own = parentAllocator().newChildAllocator("requests", 0, Long.MAX_VALUE);
    VectorSchemaRoot copy = VectorSchemaRoot.create(columns.getSchema(), own);
    try {
      for (int i = 0; i < copy.getFieldVectors().size(); i++) {
        FieldVector column = copy.getVector(i);
        column.setInitialCapacity(rows.length);
        column.allocateNew();
        for (int row = 0; row < rows.length; row++) {
          column.copyFromSafe(rows[row], row, columns.getVector(i));
        }
      }
      copy.setRowCount(rows.length);
      return new RequestBatch(copy, own, common);
    } catch (RuntimeException | Error problem) {
      copy.close();
      own.close();
      throw problem;
    }
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
