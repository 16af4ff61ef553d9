package dev.sparkmla.sql;

import dev.sparkmla.arrow.FinishReason;
import dev.sparkmla.arrow.ResultBatch;
import dev.sparkmla.sql.answer.ValueReader;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.IntFunction;
import java.util.stream.IntStream;
import org.apache.arrow.vector.Float4Vector;
import org.apache.arrow.vector.IntVector;
import org.apache.arrow.vector.VarCharVector;
import org.apache.arrow.vector.complex.ListVector;
import org.apache.arrow.vector.complex.StructVector;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.sql.catalyst.util.GenericArrayData;
import org.apache.spark.unsafe.types.UTF8String;

/**
 * The rows of a result batch as Spark's rows, each with one column of {@link ResultType#struct}.
 * Spark's own view of Arrow columns is meant for much larger batches: making it would cost more
 * than reading these rows. Not thread-safe; the batch stays its owner's.
 */
final class ResultRows {
  private static final UTF8String LENGTH =
      UTF8String.fromString(FinishReason.LENGTH.name().toLowerCase(Locale.ROOT));

  private final ResultBatch results;
  private final ResultType type;
  private final Optional<ValueReader> values;
  private final VarCharVector texts;
  private final VarCharVector finishReasons;
  private final Optional<VarCharVector> reasonings;
  private final Optional<StructVector> errors;
  private final Optional<ListVector> variantTexts;
  private final Optional<ListVector> variantReasons;
  private final Optional<ListVector> logprobs;

  /** The fields of the row that was asked for last. */
  private final Object[] fields;

  private final InternalRow filled;
  private final InternalRow absent = struct((Object) null);

  /**
   * @param type the type of the results
   * @param values reads answers as values, where the type has the field {@code value}
   */
  ResultRows(ResultBatch results, ResultType type, Optional<ValueReader> values) {
    this.results = results;
    this.type = type;
    this.values = values;
    StructVector column = results.column();
    this.texts = column.getChild("text", VarCharVector.class);
    this.finishReasons = column.getChild("finish_reason", VarCharVector.class);
    this.reasonings = Optional.ofNullable(column.getChild("reasoning", VarCharVector.class));
    this.errors = Optional.ofNullable(column.getChild("error", StructVector.class));
    this.variantTexts = Optional.ofNullable(column.getChild("texts", ListVector.class));
    this.variantReasons = Optional.ofNullable(column.getChild("finish_reasons", ListVector.class));
    this.logprobs = Optional.ofNullable(column.getChild("logprobs", ListVector.class));
    this.fields = new Object[type.struct().size()];
    this.filled = struct(struct(fields));
  }

  /**
   * A row of the batch. It is good until the next call, and as long as the batch is open, whose
   * memory its texts are read from.
   */
  InternalRow row(int row) {
    if (results.isNull(row)) {
      return absent;
    }
    UTF8String text = text(texts, row);
    UTF8String finishReason = text(finishReasons, row);
    int next = 0;
    fields[next++] = text;
    fields[next++] = reasonings.isPresent() ? text(reasonings.get(), row) : null;
    fields[next++] = finishReason;
    fields[next++] = results.promptTokens(row);
    fields[next++] = results.cachedTokens(row);
    fields[next++] = results.outputTokens(row);
    fields[next++] = errors.isPresent() ? error(errors.get(), row) : null;
    if (values.isPresent()) {
      fields[next++] = value(values.get(), text, finishReason);
    }
    if (type.hasVariants()) {
      next = addVariants(next, row);
    }
    if (type.hasLogprobs()) {
      fields[next] = logprobs.map(vector -> logprobs(row, vector)).orElse(null);
    }
    return filled;
  }

  private static InternalRow error(StructVector errors, int row) {
    return errors.isNull(row)
        ? null
        : struct(
            text(errors.getChild("code", VarCharVector.class), row),
            text(errors.getChild("message", VarCharVector.class), row));
  }

  /** Null for an answer that was cut off, even where its text could be read. */
  private static Object value(ValueReader reader, UTF8String text, UTF8String finishReason) {
    return text == null || finishReason.equals(LENGTH) ? null : reader.read(text);
  }

  /** Sets the fields of all variants, from field {@code next} on, and says which comes then. */
  private int addVariants(int next, int row) {
    int field = next;
    Object[] variants = elements(variantTexts, row);
    Object[] reasons = elements(variantReasons, row);
    fields[field++] = array(variants);
    if (values.isPresent()) {
      Object[] read = new Object[variants.length];
      for (int i = 0; i < read.length; i++) {
        read[i] = value(values.get(), (UTF8String) variants[i], (UTF8String) reasons[i]);
      }
      fields[field++] = array(read);
    }
    fields[field++] = array(reasons);
    return field;
  }

  /** The elements of a row's list; none where the list is NULL, as in a row in error. */
  private static Object[] elements(Optional<ListVector> lists, int row) {
    if (lists.isEmpty() || lists.get().isNull(row)) {
      return new Object[0];
    }
    VarCharVector vector = (VarCharVector) lists.get().getDataVector();
    int start = lists.get().getElementStartIndex(row);
    Object[] elements = new Object[lists.get().getElementEndIndex(row) - start];
    for (int i = 0; i < elements.length; i++) {
      elements[i] = text(vector, start + i);
    }
    return elements;
  }

  private static GenericArrayData array(Object[] elements) {
    return elements.length == 0 ? null : new GenericArrayData(elements);
  }

  /** The row's log probabilities; null where it has none. */
  private static GenericArrayData logprobs(int row, ListVector vector) {
    StructVector tokens = (StructVector) vector.getDataVector();
    ListVector likeliest = tokens.getChild("top_logprobs", ListVector.class);
    StructVector candidates = (StructVector) likeliest.getDataVector();
    return list(
        vector,
        row,
        token -> {
          List<Object> fields = new ArrayList<>(candidate(tokens, token));
          fields.add(list(likeliest, token, top -> struct(candidate(candidates, top).toArray())));
          return struct(fields.toArray());
        });
  }

  private static List<Object> candidate(StructVector vector, int index) {
    return List.of(
        vector.getChild("id", IntVector.class).get(index),
        text(vector.getChild("token", VarCharVector.class), index),
        vector.getChild("logprob", Float4Vector.class).get(index));
  }

  /** A row's list, each element made from its index in the vector; null where there is no list. */
  private static GenericArrayData list(ListVector vector, int row, IntFunction<Object> element) {
    return vector.isNull(row)
        ? null
        : new GenericArrayData(
            IntStream.range(vector.getElementStartIndex(row), vector.getElementEndIndex(row))
                .mapToObj(element)
                .toArray());
  }

  private static UTF8String text(VarCharVector vector, int row) {
    if (vector.isNull(row)) {
      return null;
    }
    int start = vector.getStartOffset(row);
    return UTF8String.fromAddress(
        null, vector.getDataBuffer().memoryAddress() + start, vector.getEndOffset(row) - start);
  }

  private static InternalRow struct(Object... fields) {
    return new GenericInternalRow(fields);
  }
}
