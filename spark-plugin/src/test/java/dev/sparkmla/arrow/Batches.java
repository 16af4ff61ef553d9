package dev.sparkmla.arrow;

import dev.sparkmla.text.Message;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.function.BiFunction;
import java.util.function.Consumer;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.vector.FieldVector;
import org.apache.arrow.vector.VarCharVector;
import org.apache.arrow.vector.VectorSchemaRoot;
import org.apache.arrow.vector.complex.ListVector;
import org.apache.arrow.vector.complex.MapVector;
import org.apache.arrow.vector.complex.impl.UnionListWriter;
import org.apache.arrow.vector.complex.impl.UnionMapWriter;
import org.apache.arrow.vector.types.pojo.ArrowType;
import org.apache.arrow.vector.types.pojo.Field;
import org.apache.arrow.vector.types.pojo.FieldType;

/** Writes request batches and reads result batches row by row, for tests. */
public final class Batches {
  private Batches() {}

  /** What a test calls of an engine, or of who stands in for one. */
  public interface Engine
      extends BiFunction<RequestBatch, Consumer<ResultBatch>, CompletableFuture<Void>> {}

  /** Asks an engine for one row. Cancelling the future does not reach the engine. */
  public static CompletableFuture<GenerationResult> submit(
      Engine engine, BufferAllocator parent, GenerationRequest request) {
    return submit(engine, of(parent, List.of(request)))
        .thenApply(results -> readAndClose(results).get(0).orElseThrow());
  }

  /**
   * Asks an engine for a batch of rows, whose results come together. Cancelling the future reaches
   * the engine.
   */
  public static CompletableFuture<ResultBatch> submit(Engine engine, RequestBatch requests) {
    CompletableFuture<ResultBatch> whole = new CompletableFuture<>();
    Parts parts = new Parts(requests.rows(), requests.parentAllocator());
    CompletableFuture<Void> end = engine.apply(requests, parts::add);
    end.whenComplete(
        (all, failure) -> {
          if (failure != null) {
            parts.close();
            whole.completeExceptionally(failure);
            return;
          }
          ResultBatch results = parts.whole();
          if (!whole.complete(results)) {
            results.close();
          }
        });
    whole.whenComplete(
        (results, failure) -> {
          if (whole.isCancelled()) {
            end.cancel(true);
          }
        });
    return whole;
  }

  /** The results of a batch as they come. */
  private static final class Parts implements AutoCloseable {
    private final List<Optional<GenerationResult>> rows;
    private final BufferAllocator parent;
    private final List<ResultBatch> parts = new ArrayList<>();
    private int missing;
    private boolean closed;

    Parts(int rows, BufferAllocator parent) {
      this.rows = new ArrayList<>(Collections.nCopies(rows, null));
      this.parent = parent;
      this.missing = rows;
    }

    synchronized void add(ResultBatch part) {
      missing -= part.rows();
      if (closed) {
        part.close();
      } else {
        parts.add(part);
      }
    }

    /** All results, of which there are no variants or log probabilities if they came in parts. */
    synchronized ResultBatch whole() {
      if (missing != 0) {
        throw new AssertionError(missing + " rows have no result though their batch has ended");
      }
      if (parts.size() == 1) {
        return parts.get(0);
      }
      for (ResultBatch part : parts) {
        List<Optional<GenerationResult>> results = readAndClose(part);
        for (int row = 0; row < results.size(); row++) {
          if (rows.set(part.number(row), results.get(row)) != null) {
            throw new AssertionError("row " + part.number(row) + " has two results");
          }
        }
      }
      return ResultBatch.of(rows.stream().map(row -> row.stream().toList()).toList(), parent);
    }

    @Override
    public synchronized void close() {
      closed = true;
      parts.forEach(ResultBatch::close);
    }
  }

  /** A batch of requests, all with a text or all with a conversation, and one policy. */
  public static RequestBatch of(BufferAllocator parent, List<GenerationRequest> requests) {
    return ofNullable(parent, requests.stream().map(Optional::of).toList());
  }

  /** The same, in which some rows' prompts are NULL. */
  public static RequestBatch ofNullable(
      BufferAllocator parent, List<Optional<GenerationRequest>> requests) {
    BufferAllocator allocator = parent.newChildAllocator("requests", 0, Long.MAX_VALUE);
    List<FieldVector> columns =
        List.of(
            prompts(
                allocator, requests.stream().map(r -> r.map(GenerationRequest::prompt)).toList()),
            params(
                allocator,
                requests.stream().map(r -> r.map(GenerationRequest::params).orElse(null)).toList()),
            texts(
                allocator,
                "system",
                requests.stream()
                    .map(r -> r.flatMap(GenerationRequest::system).orElse(null))
                    .toList()));
    OverflowPolicy overflow =
        requests.stream()
            .flatMap(Optional::stream)
            .map(GenerationRequest::overflow)
            .findFirst()
            .orElse(OverflowPolicy.ERROR);
    VectorSchemaRoot root = new VectorSchemaRoot(columns);
    root.setRowCount(requests.size());
    return new RequestBatch(root, allocator, new CommonRequest(overflow));
  }

  private static FieldVector prompts(BufferAllocator allocator, List<Optional<Prompt>> prompts) {
    if (prompts.stream().flatMap(Optional::stream).anyMatch(Prompt.Chat.class::isInstance)) {
      return conversations(
          allocator,
          prompts.stream()
              .map(prompt -> prompt.map(chat -> ((Prompt.Chat) chat).messages()).orElse(null))
              .toList());
    }
    return texts(
        allocator,
        "prompt",
        prompts.stream()
            .map(prompt -> prompt.map(raw -> ((Prompt.Raw) raw).text()).orElse(null))
            .toList());
  }

  /** A column of texts, some of which may be null. */
  static VarCharVector texts(BufferAllocator allocator, String name, List<String> values) {
    VarCharVector vector = new VarCharVector(name, allocator);
    vector.setInitialCapacity(values.size());
    vector.allocateNew();
    for (int row = 0; row < values.size(); row++) {
      if (values.get(row) != null) {
        vector.setSafe(row, values.get(row).getBytes(StandardCharsets.UTF_8));
      }
    }
    vector.setValueCount(values.size());
    return vector;
  }

  /** A column of maps, some of which may be null, as may their values. */
  static MapVector params(BufferAllocator allocator, List<Map<String, String>> rows) {
    Field entries =
        new Field(
            MapVector.DATA_VECTOR_NAME,
            FieldType.notNullable(new ArrowType.Struct()),
            List.of(
                new Field(MapVector.KEY_NAME, FieldType.notNullable(new ArrowType.Utf8()), null),
                new Field(MapVector.VALUE_NAME, FieldType.nullable(new ArrowType.Utf8()), null)));
    Field field =
        new Field("params", FieldType.nullable(new ArrowType.Map(false)), List.of(entries));
    MapVector vector = (MapVector) field.createVector(allocator);
    vector.setInitialCapacity(rows.size());
    vector.allocateNew();
    UnionMapWriter writer = vector.getWriter();
    for (int row = 0; row < rows.size(); row++) {
      writer.setPosition(row);
      if (rows.get(row) == null) {
        writer.writeNull();
        continue;
      }
      writer.startMap();
      rows.get(row)
          .forEach(
              (name, value) -> {
                writer.startEntry();
                writer.key().varChar().writeVarChar(name);
                if (value != null) {
                  writer.value().varChar().writeVarChar(value);
                }
                writer.endEntry();
              });
      writer.endMap();
    }
    writer.setValueCount(rows.size());
    return vector;
  }

  /** A column of conversations, some of which may be null, as may messages' parts. */
  static ListVector conversations(BufferAllocator allocator, List<List<Message>> rows) {
    Field message =
        new Field(
            "element",
            FieldType.nullable(new ArrowType.Struct()),
            List.of(
                new Field("content", FieldType.nullable(new ArrowType.Utf8()), null),
                new Field("role", FieldType.nullable(new ArrowType.Utf8()), null),
                new Field(
                    RequestBatch.MESSAGE_FIELDS, FieldType.nullable(new ArrowType.Utf8()), null)));
    Field field = new Field("prompt", FieldType.nullable(new ArrowType.List()), List.of(message));
    ListVector vector = (ListVector) field.createVector(allocator);
    UnionListWriter writer = vector.getWriter();
    for (int row = 0; row < rows.size(); row++) {
      writer.setPosition(row);
      if (rows.get(row) == null) {
        writer.writeNull();
        continue;
      }
      writer.startList();
      for (Message part : rows.get(row)) {
        writer.struct().start();
        if (part.role() != null) {
          writer.struct().varChar("role").writeVarChar(part.role());
        }
        if (part.content() != null) {
          writer.struct().varChar("content").writeVarChar(part.content());
        }
        if (part.fields().isPresent()) {
          writer.struct().varChar(RequestBatch.MESSAGE_FIELDS).writeVarChar(part.fields().get());
        }
        writer.struct().end();
      }
      writer.endList();
    }
    writer.setValueCount(rows.size());
    return vector;
  }

  /** What a batch holds, in order; empty for NULL. */
  public static List<Optional<GenerationResult>> readAndClose(ResultBatch results) {
    try (results) {
      List<Optional<GenerationResult>> rows = new ArrayList<>();
      for (int row = 0; row < results.rows(); row++) {
        rows.add(results.isNull(row) ? Optional.empty() : Optional.of(read(results, row)));
      }
      return rows;
    }
  }

  /** What one of the list fields of a row holds; empty where it is NULL or not there. */
  public static List<String> list(ResultBatch results, int row, String field) {
    List<?> elements = (List<?>) results.column().getObject(row).get(field);
    return elements == null ? List.of() : elements.stream().map(Object::toString).toList();
  }

  private static GenerationResult read(ResultBatch results, int row) {
    Map<String, ?> fields = results.column().getObject(row);
    Object text = fields.get("text");
    if ((text == null) != results.error(row).isPresent()) {
      throw new AssertionError("row " + row + " must have a text or an error: " + fields);
    }
    return new GenerationResult(
        text == null ? "" : text.toString(),
        Optional.ofNullable(fields.get("reasoning")).map(Object::toString),
        FinishReason.valueOf(fields.get("finish_reason").toString().toUpperCase(Locale.ROOT)),
        results.promptTokens(row),
        results.cachedTokens(row),
        results.outputTokens(row),
        results.error(row));
  }
}
