package dev.sparkmla.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.IntBuffer;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The scheduler's laws, on random batches: every page in one piece, pieces numbered in order. */
class MlaMetadataGpuTest extends GpuFixture {
  private static final int BATCHES = 100;

  // Columns of the table, as mla_decode.h names them.
  private static final int FIRST_SEQUENCE = 0;
  private static final int FIRST_PAGE = 1;
  private static final int LAST_SEQUENCE = 2;
  private static final int END_PAGE = 3;
  private static final int FIRST_SPLIT = 4;
  private static final int SPLIT_PAGES = 5;
  private static final int FIRST_LENGTH = 6;

  private MlaDecode decode;

  @BeforeAll
  void open() {
    decode = MlaDecode.on(context);
  }

  @ParameterizedTest(name = "h_q {0}, s_q {1}, every {2} tokens")
  @CsvSource({"16, 1, 0", "128, 1, 0", "128, 2, 0", "16, 1, 128", "128, 1, 1024", "16, 1, 4096"})
  void everyPageIsInOnePiece(int queryHeads, int queryTokens, int splitTokens) {
    Random random = new Random(29);
    for (int i = 0; i < BATCHES; i++) {
      int batch = 1 + random.nextInt(1 << random.nextInt(9));
      int[] lengths = new int[batch];
      int longest = 1 << (4 + random.nextInt(14));
      for (int sequence = 0; sequence < batch; sequence++) {
        lengths[sequence] = random.nextInt(8) == 0 ? 0 : 1 + random.nextInt(longest);
      }
      SplitPolicy splits = splitTokens == 0 ? SplitPolicy.BALANCED : SplitPolicy.fixed(splitTokens);
      MlaShape shape =
          MlaShape.of(batch, queryTokens, queryHeads, (longest + 63) / 64).withSplits(splits);
      try (MlaMetadata metadata = decode.metadata(shape)) {
        metadata.update(lengths, stream);
        check(metadata, lengths, splitTokens / 64);
      }
    }
  }

  @Test
  void aSmallerStepUsesTheMemoryOfALargerOne() {
    Random random = new Random(31);
    try (MlaMetadata largest = decode.metadata(MlaShape.of(256, 1, 16, 4096))) {
      for (int i = 0; i < BATCHES; i++) {
        int[] lengths = new int[1 + random.nextInt(256)];
        Arrays.setAll(lengths, sequence -> random.nextInt(1 << (1 + random.nextInt(14))));
        try (MlaMetadata smaller =
            largest.withShape(MlaShape.of(lengths.length, 1, 16, 16 << random.nextInt(9)))) {
          if (Arrays.stream(lengths).max().getAsInt() <= smaller.shape().maxTokens()) {
            smaller.update(lengths, stream);
            check(smaller, lengths, 0);
          }
        }
      }
    }
  }

  private void check(MlaMetadata metadata, int[] lengths, int fixedPages) {
    IntBuffer table = DecodeProblem.read(metadata.table().buffer(), stream).asIntBuffer();
    IntBuffer splits = DecodeProblem.read(metadata.numSplits().buffer(), stream).asIntBuffer();
    String batch = Arrays.toString(lengths);
    int sequence = 0;
    int page = 0;
    int split = 0;
    for (int at = 0; at < table.capacity(); at += MlaMetadata.TABLE_WIDTH) {
      int last = table.get(at + LAST_SEQUENCE);
      if (table.get(at + FIRST_SEQUENCE) == lengths.length) {
        continue; // without work
      }
      assertThat(table.get(at + FIRST_SEQUENCE)).as(batch).isEqualTo(sequence);
      assertThat(table.get(at + FIRST_PAGE)).as(batch).isEqualTo(page);
      assertThat(table.get(at + FIRST_SPLIT)).as(batch).isEqualTo(split);
      assertThat(table.get(at + FIRST_LENGTH)).as(batch).isEqualTo(lengths[sequence]);
      int splitPages = table.get(at + SPLIT_PAGES);
      if (fixedPages > 0) {
        assertThat(splitPages).isEqualTo(fixedPages);
      }
      for (; sequence <= last; sequence++, page = 0, split = 0) {
        int pages = (lengths[sequence] + 63) / 64;
        int end = sequence == last ? Math.min(table.get(at + END_PAGE), pages) : pages;
        assertThat(end).as(batch).isGreaterThanOrEqualTo(page);
        int pieces = Math.max(1, ceilDiv(end, splitPages) - page / splitPages);
        split += pieces;
        page = end;
        if (end < pages) {
          // Cut here: decode works on pairs of pages, and fixed splits end at their multiples.
          assertThat(sequence).as(batch).isEqualTo(last);
          assertThat(end % (fixedPages > 0 ? fixedPages : 2)).as(batch).isZero();
          break;
        }
        assertThat(splits.get(sequence + 1) - splits.get(sequence)).as(batch).isEqualTo(split);
        if (fixedPages > 0) {
          assertThat(split).as(batch).isEqualTo(Math.max(1, ceilDiv(pages, fixedPages)));
        }
      }
    }
    assertThat(sequence).as(batch).isEqualTo(lengths.length);
    assertThat(splits.get(0)).isZero();
  }

  private static int ceilDiv(int dividend, int divisor) {
    return (int) ((dividend + (long) divisor - 1) / divisor);
  }
}
