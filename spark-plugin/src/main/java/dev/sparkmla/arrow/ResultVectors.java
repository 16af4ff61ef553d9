package dev.sparkmla.arrow;

import dev.sparkmla.engine.GenerationError;
import dev.sparkmla.engine.GenerationResult;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.vector.IntVector;
import org.apache.arrow.vector.VarCharVector;
import org.apache.arrow.vector.complex.StructVector;
import org.apache.arrow.vector.types.pojo.ArrowType;
import org.apache.arrow.vector.types.pojo.Field;
import org.apache.arrow.vector.types.pojo.FieldType;

/**
 * Holds the results of one batch after the other: {@code struct<text: utf8, finish_reason: utf8,
 * prompt_tokens: int32, cached_tokens: int32, output_tokens: int32, error: struct<code: utf8,
 * message: utf8>>}. The text of a row in error is NULL. Not thread-safe; who makes it closes it.
 */
public final class ResultVectors implements AutoCloseable {
  private final StructVector results;
  private final VarCharVector texts;
  private final VarCharVector finishReasons;
  private final IntVector promptTokens;
  private final IntVector cachedTokens;
  private final IntVector outputTokens;
  private final StructVector errors;
  private final VarCharVector codes;
  private final VarCharVector messages;

  /** Makes empty vectors in {@code allocator}. */
  public ResultVectors(BufferAllocator allocator) {
    Field error = nullable("error", new ArrowType.Struct(), utf8("code"), utf8("message"));
    Field result =
        nullable(
            "result",
            new ArrowType.Struct(),
            utf8("text"),
            utf8("finish_reason"),
            int32("prompt_tokens"),
            int32("cached_tokens"),
            int32("output_tokens"),
            error);
    results = (StructVector) result.createVector(allocator);
    texts = results.getChild("text", VarCharVector.class);
    finishReasons = results.getChild("finish_reason", VarCharVector.class);
    promptTokens = results.getChild("prompt_tokens", IntVector.class);
    cachedTokens = results.getChild("cached_tokens", IntVector.class);
    outputTokens = results.getChild("output_tokens", IntVector.class);
    errors = results.getChild("error", StructVector.class);
    codes = errors.getChild("code", VarCharVector.class);
    messages = errors.getChild("message", VarCharVector.class);
  }

  /** The vector, whose rows are those written last. */
  public StructVector vector() {
    return results;
  }

  /**
   * Replaces what is held.
   *
   * @param rows a batch's results in order; empty for NULL
   */
  public void write(List<Optional<GenerationResult>> rows) {
    results.reset();
    if (results.getValueCapacity() < rows.size()) {
      results.setInitialCapacity(rows.size());
      results.allocateNew();
    }
    for (int row = 0; row < rows.size(); row++) {
      if (rows.get(row).isPresent()) {
        write(row, rows.get(row).get());
      } else {
        results.setNull(row);
      }
    }
    results.setValueCount(rows.size());
  }

  private void write(int row, GenerationResult result) {
    results.setIndexDefined(row);
    set(finishReasons, row, result.finishReason().name().toLowerCase(Locale.ROOT));
    promptTokens.setSafe(row, result.promptTokens());
    cachedTokens.setSafe(row, result.cachedTokens());
    outputTokens.setSafe(row, result.outputTokens());
    if (result.error().isPresent()) {
      GenerationError error = result.error().get();
      errors.setIndexDefined(row);
      set(codes, row, error.code().name());
      set(messages, row, error.message());
    } else {
      set(texts, row, result.text());
    }
  }

  /** Frees the vectors. */
  @Override
  public void close() {
    results.close();
  }

  private static void set(VarCharVector vector, int row, String text) {
    vector.setSafe(row, text.getBytes(StandardCharsets.UTF_8));
  }

  private static Field utf8(String name) {
    return nullable(name, new ArrowType.Utf8());
  }

  private static Field int32(String name) {
    return nullable(name, new ArrowType.Int(32, true));
  }

  private static Field nullable(String name, ArrowType type, Field... children) {
    return new Field(name, FieldType.nullable(type), List.of(children));
  }
}
