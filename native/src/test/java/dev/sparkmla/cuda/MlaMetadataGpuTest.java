package dev.sparkmla.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.IntBuffer;
import java.util.Arrays;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * The scheduler's laws, on random batches: every page in exactly one split, splits numbered in
 * order, cuts where the policy says, and sequences that parts share listed.
 */
class MlaMetadataGpuTest extends GpuFixture {
  private static final int BATCHES = 100;

  // Columns of the table, as mla_decode.h names them.
  private static final int FIRST_SEQUENCE = 0;
  private static final int FIRST_PAGE = 1;
  private static final int LAST_SEQUENCE = 2;
  private static final int END_PAGE = 3;
  private static final int FIRST_SPLIT = 4;
  private static final int HALVED = 5;
  private static final int FIRST_LENGTH = 6;
  private static final int SHARED_SEQUENCE = 7;

  private MlaDecode decode;

  @BeforeAll
  void open() {
    decode = MlaDecode.on(context);
  }

  @ParameterizedTest(name = "h_q {0}, s_q {1}, {2}")
  @CsvSource({
    "16, 1, BALANCED",
    "128, 1, BALANCED",
    "128, 2, BALANCED",
    "16, 1, BY_LENGTH",
    "64, 1, BY_LENGTH",
    "128, 1, BY_LENGTH",
    "128, 2, BY_LENGTH"
  })
  void everyPageIsInOneSplit(int queryHeads, int queryTokens, SplitPolicy policy) {
    Random random = new Random(29);
    for (int i = 0; i < BATCHES; i++) {
      int batch = 1 + random.nextInt(1 << random.nextInt(9));
      int[] lengths = new int[batch];
      int longest = 1 << (4 + random.nextInt(14));
      for (int sequence = 0; sequence < batch; sequence++) {
        lengths[sequence] = random.nextInt(8) == 0 ? 0 : 1 + random.nextInt(longest);
      }
      MlaShape shape =
          DecodeProblem.deepSeek(batch, queryTokens, queryHeads, (longest + 63) / 64)
              .withSplits(policy);
      try (MlaMetadata metadata = decode.metadata(shape)) {
        metadata.update(lengths, stream);
        check(metadata, lengths);
      }
    }
  }

  @Test
  void aSmallerStepUsesTheMemoryOfALargerOne() {
    Random random = new Random(31);
    try (MlaMetadata largest = decode.metadata(DecodeProblem.deepSeek(256, 1, 16, 4096))) {
      for (int i = 0; i < BATCHES; i++) {
        int[] lengths = new int[1 + random.nextInt(256)];
        Arrays.setAll(lengths, sequence -> random.nextInt(1 << (1 + random.nextInt(14))));
        try (MlaMetadata smaller =
            largest.withShape(
                DecodeProblem.deepSeek(lengths.length, 1, 16, 16 << random.nextInt(9)))) {
          if (Arrays.stream(lengths).max().getAsInt() <= smaller.shape().maxTokens()) {
            smaller.update(lengths, stream);
            check(smaller, lengths);
          }
        }
      }
    }
  }

  private void check(MlaMetadata metadata, int[] lengths) {
    IntBuffer table = DecodeProblem.read(metadata.table().buffer(), stream).asIntBuffer();
    IntBuffer splits = DecodeProblem.read(metadata.numSplits().buffer(), stream).asIntBuffer();
    MlaShape shape = metadata.shape();
    boolean byLength = shape.splits() == SplitPolicy.BY_LENGTH;
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
      assertThat(table.get(at + HALVED)).isEqualTo(byLength ? 1 : 0);
      for (; sequence <= last; sequence++, page = 0, split = 0) {
        int pages = (lengths[sequence] + 63) / 64;
        int end = sequence == last ? Math.min(table.get(at + END_PAGE), pages) : pages;
        assertThat(end).as(batch).isGreaterThanOrEqualTo(page);
        int count = splits.get(sequence + 1) - splits.get(sequence);
        if (byLength) {
          assertThat(count).as(batch).isEqualTo(splitsByLength(pages, shape));
          assertThat(page).as(batch).isEqualTo(splitBegin(pages, count, split));
          do {
            split++;
          } while (split < count && splitBegin(pages, count, split) < end);
          assertThat(end).as(batch).isEqualTo(splitBegin(pages, count, split));
        } else {
          split++;
        }
        page = end;
        if (end < pages) {
          // Cut here: decode works on pairs of pages.
          assertThat(sequence).as(batch).isEqualTo(last);
          assertThat(end % 2).as(batch).isZero();
          break;
        }
        assertThat(count).as(batch).isEqualTo(split);
      }
    }
    assertThat(sequence).as(batch).isEqualTo(lengths.length);
    assertThat(splits.get(0)).isZero();
    checkShared(table, lengths);
  }

  /** Rows list the sequences within which parts begin, in order, then the batch's end. */
  private static void checkShared(IntBuffer table, int[] lengths) {
    int parts = table.capacity() / MlaMetadata.TABLE_WIDTH;
    int[] shared =
        IntStream.range(0, parts)
            .map(part -> part * MlaMetadata.TABLE_WIDTH)
            .filter(at -> table.get(at + FIRST_PAGE) > 0)
            .map(at -> table.get(at + FIRST_SEQUENCE))
            .distinct()
            .toArray();
    int[] expected = Arrays.copyOf(shared, parts);
    Arrays.fill(expected, shared.length, parts, lengths.length);
    int[] listed =
        IntStream.range(0, parts)
            .map(part -> table.get(part * MlaMetadata.TABLE_WIDTH + SHARED_SEQUENCE))
            .toArray();
    assertThat(listed).as(Arrays.toString(lengths)).isEqualTo(expected);
  }

  /** Halved until a split has at most 24 pages and a 64th of the sequence's, for each row tile. */
  private static int splitsByLength(int pages, MlaShape shape) {
    int rowTiles = (shape.queryTokens() * shape.queryHeads() / shape.kvHeads() + 63) / 64;
    int perTile = pages / rowTiles;
    int count = 1;
    while (perTile / count > 24 + perTile / 64) {
      count *= 2;
    }
    return count;
  }

  /** Pairs of pages, dealt evenly. */
  private static int splitBegin(int pages, int count, int split) {
    return Math.min(pages, (pages + 1) / 2 * split / count * 2);
  }
}
