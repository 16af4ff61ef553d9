package dev.sparkmla.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sparkmla.policy.LogitsProcessing;
import dev.sparkmla.policy.Sampling;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;

/** The bytes of a row's parameters as C reads struct spark_mla_sampling. */
class SamplingLayoutTest {
  private final ByteBuffer bytes =
      ByteBuffer.allocate(3 * 4 * SamplingLayout.WORDS).order(ByteOrder.LITTLE_ENDIAN);

  @Test
  void writesTheFieldsOfTheStruct() {
    int row = 4 * SamplingLayout.WORDS;

    SamplingLayout.write(
        bytes.asIntBuffer(),
        SamplingLayout.WORDS,
        new Sampling(0.7f, 40, 0.95f, 0.05f, 0x8765_4321_FEDC_BA98L, 11, LogitsProcessing.NONE)
            .withLogprobs(OptionalInt.of(5)));

    assertThat(SamplingLayout.WORDS * Integer.BYTES).isEqualTo(32);
    assertThat(bytes.getFloat(row)).isEqualTo(0.7f);
    assertThat(bytes.getInt(row + 4)).isEqualTo(40);
    assertThat(bytes.getFloat(row + 8)).isEqualTo(0.95f);
    assertThat(bytes.getFloat(row + 12)).isEqualTo(0.05f);
    assertThat(bytes.getInt(row + 16)).isEqualTo(11);
    assertThat(bytes.getInt(row + 20)).isEqualTo(5);
    assertThat(bytes.getLong(row + 24)).isEqualTo(0x8765_4321_FEDC_BA98L);
    SamplingLayout.write(bytes.asIntBuffer(), SamplingLayout.WORDS, Sampling.GREEDY);
    assertThat(bytes.getInt(row + 20)).isEqualTo(-1);
  }

  @Test
  void leavesOtherRowsAlone() {
    for (int i = 0; i < bytes.capacity(); i++) {
      bytes.put(i, (byte) 0x5A);
    }
    SamplingLayout.write(bytes.asIntBuffer(), SamplingLayout.WORDS, Sampling.GREEDY);
    for (int i = 0; i < 32; i++) {
      assertThat(bytes.get(i)).isEqualTo((byte) 0x5A);
      assertThat(bytes.get(64 + i)).isEqualTo((byte) 0x5A);
    }
    assertThat(bytes.getFloat(40)).isEqualTo(1f);
  }

  @Test
  void refusesARowThatDoesNotFit() {
    assertThatThrownBy(
            () ->
                SamplingLayout.write(
                    bytes.asIntBuffer(), 2 * SamplingLayout.WORDS + 1, Sampling.GREEDY))
        .isInstanceOf(IndexOutOfBoundsException.class);
  }
}
