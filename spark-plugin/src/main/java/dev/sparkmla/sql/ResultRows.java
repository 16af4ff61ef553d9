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
 * Converts the rows of a result batch to Spark's rows, each with one column of {@link
 * ResultType#struct}. Spark's own view of Arrow columns is meant for much larger batches: making it
 * would cost more than copying these rows. Not thread-safe; the batch stays its owner's.
 */
final class ResultRows {
  private static final UTF8String LENGTH =
      UTF8String.fromString(FinishReason.LENGTH.name().toLowerCase(Locale.ROOT));

  private final ResultBatch results;
  private final ResultType type;
  private final Optional<ValueReader> values;
  private final VarCharVector texts;
  private final VarCharVector reasonings;
  private final VarCharVector finishReasons;
  private final StructVector errors;
  private final VarCharVector codes;
  private final VarCharVector messages;
  private final Optional<ListVector> variantTexts;
  private final Optional<ListVector> variantReasons;
  private final Optional<ListVector> logprobs;

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
    this.reasonings = column.getChild("reasoning", VarCharVector.class);
    this.finishReasons = column.getChild("finish_reason", VarCharVector.class);
    this.errors = column.getChild("error", StructVector.class);
    this.codes = errors.getChild("code", VarCharVector.class);
    this.messages = errors.getChild("message", VarCharVector.class);
    this.variantTexts = Optional.ofNullable(column.getChild("texts", ListVector.class));
    this.variantReasons = Optional.ofNullable(column.getChild("finish_reasons", ListVector.class));
    this.logprobs = Optional.ofNullable(column.getChild("logprobs", ListVector.class));
  }

  /** A copy of a row of the batch. */
  InternalRow row(int row) {
    return struct(results.isNull(row) ? null : result(row));
  }

  private InternalRow result(int row) {
    UTF8String text = text(texts, row);
    UTF8String finishReason = text(finishReasons, row);
    List<Object> fields = new ArrayList<>();
    fields.add(text);
    fields.add(text(reasonings, row));
    fields.add(finishReason);
    fields.add(results.promptTokens(row));
    fields.add(results.cachedTokens(row));
    fields.add(results.outputTokens(row));
    fields.add(errors.isNull(row) ? null : struct(text(codes, row), text(messages, row)));
    values.ifPresent(reader -> fields.add(value(reader, text, finishReason)));
    if (type.hasVariants()) {
      addVariants(fields, row);
    }
    if (type.hasLogprobs()) {
      fields.add(logprobs.map(vector -> logprobs(row, vector)).orElse(null));
    }
    return struct(fields.toArray());
  }

  /** Null for an answer that was cut off, even where its text could be read. */
  private static Object value(ValueReader reader, UTF8String text, UTF8String finishReason) {
    return text == null || finishReason.equals(LENGTH) ? null : reader.read(text);
  }

  private void addVariants(List<Object> fields, int row) {
    Object[] variants = elements(variantTexts, row);
    Object[] reasons = elements(variantReasons, row);
    fields.add(array(variants));
    if (values.isPresent()) {
      Object[] read = new Object[variants.length];
      for (int i = 0; i < read.length; i++) {
        read[i] = value(values.get(), (UTF8String) variants[i], (UTF8String) reasons[i]);
      }
      fields.add(array(read));
    }
    fields.add(array(reasons));
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
    return vector.isNull(row) ? null : UTF8String.fromBytes(vector.get(row));
  }

  private static InternalRow struct(Object... fields) {
    return new GenericInternalRow(fields);
  }
}
