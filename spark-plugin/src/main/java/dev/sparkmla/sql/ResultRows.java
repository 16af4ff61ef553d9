package dev.sparkmla.sql;

import dev.sparkmla.arrow.ResultBatch;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.apache.arrow.vector.VarCharVector;
import org.apache.arrow.vector.complex.ListVector;
import org.apache.arrow.vector.complex.StructVector;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.sql.catalyst.util.GenericArrayData;
import org.apache.spark.unsafe.types.UTF8String;

/**
 * The rows of a result batch as Spark's, each of one column of {@link ResultType#struct}. Spark's
 * own view of Arrow columns is made for batches of many more rows: to make it costs more than to
 * copy those of one batch. Not thread-safe; the batch stays its owner's.
 */
final class ResultRows {
  private final ResultBatch results;
  private final ResultType type;
  private final VarCharVector texts;
  private final VarCharVector reasonings;
  private final VarCharVector finishReasons;
  private final StructVector errors;
  private final VarCharVector codes;
  private final VarCharVector messages;
  private final Optional<ListVector> variantTexts;
  private final Optional<ListVector> variantReasons;

  /**
   * @param type of the rows
   */
  ResultRows(ResultBatch results, ResultType type) {
    this.results = results;
    this.type = type;
    StructVector column = results.column();
    this.texts = column.getChild("text", VarCharVector.class);
    this.reasonings = column.getChild("reasoning", VarCharVector.class);
    this.finishReasons = column.getChild("finish_reason", VarCharVector.class);
    this.errors = column.getChild("error", StructVector.class);
    this.codes = errors.getChild("code", VarCharVector.class);
    this.messages = errors.getChild("message", VarCharVector.class);
    this.variantTexts = Optional.ofNullable(column.getChild("texts", ListVector.class));
    this.variantReasons = Optional.ofNullable(column.getChild("finish_reasons", ListVector.class));
  }

  /** A copy of a row. */
  InternalRow row(int row) {
    return struct(results.isNull(row) ? null : result(row));
  }

  private InternalRow result(int row) {
    List<Object> fields = new ArrayList<>();
    fields.add(text(texts, row));
    fields.add(text(reasonings, row));
    fields.add(text(finishReasons, row));
    fields.add(results.promptTokens(row));
    fields.add(results.cachedTokens(row));
    fields.add(results.outputTokens(row));
    fields.add(errors.isNull(row) ? null : struct(text(codes, row), text(messages, row)));
    if (type.hasVariants()) {
      addVariants(fields, row);
    }
    return struct(fields.toArray());
  }

  private void addVariants(List<Object> fields, int row) {
    fields.add(elements(variantTexts, row));
    fields.add(elements(variantReasons, row));
  }

  /** Null where the list is, as it is in a row in error. */
  private static GenericArrayData elements(Optional<ListVector> lists, int row) {
    if (lists.isEmpty() || lists.get().isNull(row)) {
      return null;
    }
    VarCharVector vector = (VarCharVector) lists.get().getDataVector();
    int start = lists.get().getElementStartIndex(row);
    Object[] elements = new Object[lists.get().getElementEndIndex(row) - start];
    for (int i = 0; i < elements.length; i++) {
      elements[i] = text(vector, start + i);
    }
    return new GenericArrayData(elements);
  }

  private static UTF8String text(VarCharVector vector, int row) {
    return vector.isNull(row) ? null : UTF8String.fromBytes(vector.get(row));
  }

  private static InternalRow struct(Object... fields) {
    return new GenericInternalRow(fields);
  }
}
