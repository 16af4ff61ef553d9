package dev.sparkmla.sql;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sparkmla.arrow.ErrorCode;
import dev.sparkmla.arrow.FinishReason;
import dev.sparkmla.arrow.GenerationError;
import dev.sparkmla.arrow.GenerationResult;
import dev.sparkmla.arrow.ResultBatch;
import dev.sparkmla.sql.answer.AnswerFormat;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.apache.arrow.memory.RootAllocator;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.UnsafeProjection;
import org.apache.spark.sql.catalyst.expressions.UnsafeRow;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.sql.vectorized.ArrowColumnVector;
import org.apache.spark.sql.vectorized.ColumnVector;
import org.apache.spark.sql.vectorized.ColumnarBatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ResultRowsTest {
  private static final StructType ROW = new StructType().add("g", ResultType.ALWAYS, true);

  private static final ResultType PLAIN = new ResultType(new AnswerFormat.Free(), 1, false);

  private final RootAllocator allocator = new RootAllocator();
  private final UnsafeProjection toUnsafe = UnsafeProjection.create(ROW);

  @AfterEach
  void nothingIsLeft() {
    allocator.close();
  }

  /** Every column, NULL rows, errors, empty and long texts: as Spark's own view of the column. */
  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 4, 5, 6})
  void areWhatSparkReadsFromTheColumn(int seed) {
    Random random = new Random(seed);
    List<List<GenerationResult>> results = new ArrayList<>();
    for (int row = 0; row < random.nextInt(300); row++) {
      results.add(random.nextInt(5) == 0 ? List.of() : List.of(result(random)));
    }
    try (ResultBatch batch = ResultBatch.of(results, allocator)) {
      if (batch.rows() > 0) {
        batch.setNull(random.nextInt(batch.rows()));
      }
      ResultRows rows = new ResultRows(batch, PLAIN, Optional.empty());
      ColumnVector[] column = {new ArrowColumnVector(batch.column())};
      ColumnarBatch expected = new ColumnarBatch(column, batch.rows());
      for (int row = 0; row < batch.rows(); row++) {
        UnsafeRow bySpark = toUnsafe.apply(expected.getRow(row)).copy();
        assertThat(toUnsafe.apply(rows.row(row))).as("row %d", row).isEqualTo(bySpark);
      }
    }
  }

  @Test
  void outliveTheirBatch() {
    InternalRow row;
    try (ResultBatch batch = ResultBatch.of(List.of(List.of(answer("änd 🙂"))), allocator)) {
      row = new ResultRows(batch, PLAIN, Optional.empty()).row(0);
    }
    InternalRow result = row.getStruct(0, ResultType.ALWAYS.size());
    assertThat(result.getUTF8String(ResultType.TEXT_ORDINAL)).hasToString("änd 🙂");
    assertThat(result.getUTF8String(2)).hasToString("stop");
    assertThat(List.of(result.getInt(3), result.getInt(4), result.getInt(5)))
        .containsExactly(3, 2, 1);
    assertThat(result.isNullAt(6)).isTrue();
  }

  private static GenerationResult answer(String text) {
    return new GenerationResult(
        text, Optional.empty(), FinishReason.STOP, 3, 2, 1, Optional.empty());
  }

  private static GenerationResult result(Random random) {
    String text = "ä🙂x".repeat(random.nextInt(4) == 0 ? 0 : random.nextInt(60));
    if (random.nextInt(3) > 0) {
      return new GenerationResult(
          text,
          random.nextBoolean() ? Optional.empty() : Optional.of("why " + text),
          random.nextBoolean() ? FinishReason.STOP : FinishReason.LENGTH,
          random.nextInt(),
          random.nextInt(),
          random.nextInt(),
          Optional.empty());
    }
    ErrorCode code = ErrorCode.values()[random.nextInt(ErrorCode.values().length)];
    return new GenerationResult(
        "",
        Optional.empty(),
        FinishReason.ERROR,
        random.nextInt(),
        0,
        0,
        Optional.of(new GenerationError(code, text)));
  }
}
