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
import java.util.Locale;
import java.util.Optional;
import java.util.Random;
import org.apache.arrow.memory.RootAllocator;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.sql.catalyst.expressions.UnsafeProjection;
import org.apache.spark.sql.catalyst.expressions.UnsafeRow;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.unsafe.types.UTF8String;
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

  /** Every column, NULL rows, errors, empty and long texts. */
  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 4, 5, 6})
  void haveWhatTheResultsHave(int seed) {
    Random random = new Random(seed);
    List<List<GenerationResult>> results = new ArrayList<>();
    for (int row = 0; row < random.nextInt(300); row++) {
      results.add(random.nextInt(5) == 0 ? List.of() : List.of(result(random)));
    }
    List<UnsafeRow> read = new ArrayList<>();
    try (ResultBatch batch = ResultBatch.of(results, allocator)) {
      ResultRows rows = new ResultRows(batch, PLAIN, Optional.empty());
      for (int row = 0; row < batch.rows(); row++) {
        read.add(toUnsafe.apply(rows.row(row)).copy());
      }
    }
    for (int row = 0; row < results.size(); row++) {
      assertThat(read.get(row))
          .as("row %d", row)
          .isEqualTo(toUnsafe.apply(column(results.get(row).stream().findFirst())));
    }
  }

  @Test
  void areNullWhereTheBatchMadeThemSo() {
    try (ResultBatch batch =
        ResultBatch.of(List.of(List.of(answer("a")), List.of(answer("b"))), allocator)) {
      batch.setNull(0);
      ResultRows rows = new ResultRows(batch, PLAIN, Optional.empty());
      assertThat(rows.row(0).isNullAt(0)).isTrue();
      assertThat(rows.row(1).isNullAt(0)).isFalse();
    }
  }

  /** A row with a result as its one column. */
  private static InternalRow column(Optional<GenerationResult> result) {
    return row(
        result
            .map(
                row ->
                    row(
                        row.error().isPresent() ? null : UTF8String.fromString(row.text()),
                        UTF8String.fromString(row.reasoning().orElse(null)),
                        UTF8String.fromString(row.finishReason().name().toLowerCase(Locale.ROOT)),
                        row.promptTokens(),
                        row.cachedTokens(),
                        row.outputTokens(),
                        row.error()
                            .map(
                                error ->
                                    row(
                                        UTF8String.fromString(error.code().name()),
                                        UTF8String.fromString(error.message())))
                            .orElse(null)))
            .orElse(null));
  }

  private static InternalRow row(Object... fields) {
    return new GenericInternalRow(fields);
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
