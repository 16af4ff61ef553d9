package dev.sparkmla.sql;

import dev.sparkmla.arrow.ResultBatch;
import org.apache.arrow.vector.VarCharVector;
import org.apache.arrow.vector.complex.StructVector;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.unsafe.types.UTF8String;

/**
 * The rows of a result batch as Spark's, each of one column of {@link LlmGenerate#RESULT_TYPE}.
 * Spark's own view of Arrow columns is made for batches of many more rows: to make it costs more
 * than to copy those of one batch. Not thread-safe; the batch stays its owner's.
 */
final class ResultRows {
  private final ResultBatch results;
  private final VarCharVector texts;
  private final VarCharVector reasonings;
  private final VarCharVector finishReasons;
  private final StructVector errors;
  private final VarCharVector codes;
  private final VarCharVector messages;

  ResultRows(ResultBatch results) {
    this.results = results;
    StructVector column = results.column();
    this.texts = column.getChild("text", VarCharVector.class);
    this.reasonings = column.getChild("reasoning", VarCharVector.class);
    this.finishReasons = column.getChild("finish_reason", VarCharVector.class);
    this.errors = column.getChild("error", StructVector.class);
    this.codes = errors.getChild("code", VarCharVector.class);
    this.messages = errors.getChild("message", VarCharVector.class);
  }

  /** A copy of a row. */
  InternalRow row(int row) {
    return struct(results.isNull(row) ? null : result(row));
  }

  private InternalRow result(int row) {
    return struct(
        text(texts, row),
        text(reasonings, row),
        text(finishReasons, row),
        results.promptTokens(row),
        results.cachedTokens(row),
        results.outputTokens(row),
        errors.isNull(row) ? null : struct(text(codes, row), text(messages, row)));
  }

  private static UTF8String text(VarCharVector vector, int row) {
    return vector.isNull(row) ? null : UTF8String.fromBytes(vector.get(row));
  }

  private static InternalRow struct(Object... fields) {
    return new GenericInternalRow(fields);
  }
}
