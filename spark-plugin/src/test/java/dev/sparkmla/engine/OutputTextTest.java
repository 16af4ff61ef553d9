package dev.sparkmla.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sparkmla.text.SpecialTokens;
import dev.sparkmla.text.Thinking;
import dev.sparkmla.text.Tokenizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class OutputTextTest {
  private static Tokenizer tokenizer;

  @BeforeAll
  static void open() {
    tokenizer = DemoText.openTokenizer();
  }

  @AfterAll
  static void close() {
    tokenizer.close();
  }

  private static OutputText output(String... stop) {
    return output(false, new StoppedText(List.of(stop), false));
  }

  private static OutputText output(boolean spellsSpecialTokens, StoppedText answer) {
    return new OutputText(
        () -> tokenizer.newDecoder(spellsSpecialTokens),
        Thinking.of(tokenizer, Optional.empty()),
        false,
        answer);
  }

  private static int[] ids(String text) {
    return tokenizer.encode(text, SpecialTokens.PLAIN_TEXT);
  }

  /** Whether a stop string appeared, before or at the end. */
  private static boolean appendAll(OutputText output, int[] ids) {
    for (int id : ids) {
      if (output.append(id)) {
        return true;
      }
    }
    return output.finish();
  }

  @Test
  void keepsTheWholeTextWithoutStop() {
    OutputText output = output();
    assertThat(appendAll(output, ids("naïve 中 \uD83D\uDE00 text"))).isFalse();
    assertThat(output.text()).isEqualTo("naïve 中 \uD83D\uDE00 text");
  }

  @Test
  void endsBeforeAStopThatSpansTokens() {
    OutputText output = output("34567");
    assertThat(appendAll(output, ids("1234567890"))).isTrue();
    assertThat(output.text()).isEqualTo("12");
  }

  @Test
  void endsBeforeTheEarliestOfSeveralStops() {
    OutputText output = output("9", "567", "56");
    assertThat(appendAll(output, ids("1234567890"))).isTrue();
    assertThat(output.text()).isEqualTo("1234");
  }

  @Test
  void keepsTheBeginningOfAStopThatDidNotCome() {
    OutputText output = output("456x");
    assertThat(appendAll(output, ids("123456"))).isFalse();
    assertThat(output.text()).isEqualTo("123456");
  }

  @Test
  void findsAStopInWhatTheDecoderHeldBack() {
    // The first two bytes of a character of three: certain only at the end, as U+FFFD.
    int[] whole = ids("中");
    assertThat(whole.length).isGreaterThan(1);
    OutputText output = output("\uFFFD");
    assertThat(output.append(whole[0])).isFalse();
    assertThat(output.finish()).isTrue();
    assertThat(output.text()).isEmpty();
  }

  @Test
  void keepsTheStopThatItIsToInclude() {
    OutputText output = output(false, new StoppedText(List.of("567", "9"), true));
    assertThat(appendAll(output, ids("1234567890"))).isTrue();
    assertThat(output.text()).isEqualTo("1234567");
  }

  @Test
  void holdsTheEndTokenWhereItIsIncludedAndSpelled() {
    int end = tokenizer.encode("<|end|>", SpecialTokens.PARSED)[0];
    for (boolean includes : new boolean[] {false, true}) {
      for (boolean spells : new boolean[] {false, true}) {
        OutputText output = output(spells, new StoppedText(List.of(), includes));
        for (int id : ids("done")) {
          output.append(id);
        }
        output.end(end);
        assertThat(output.text()).isEqualTo(includes && spells ? "done<|end|>" : "done");
      }
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3})
  void isTheTextUpToTheFirstStop(long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    for (int i = 0; i < 100; i++) {
      StringBuilder text = new StringBuilder();
      int length = random.nextInt(1, 60);
      for (int c = 0; c < length; c++) {
        text.append("ab12é ".charAt(random.nextInt(6)));
      }
      List<String> stop = new ArrayList<>();
      for (int s = random.nextInt(3); s >= 0; s--) {
        StringBuilder one = new StringBuilder();
        for (int c = random.nextInt(1, 5); c > 0; c--) {
          one.append("ab12é ".charAt(random.nextInt(6)));
        }
        stop.add(one.toString());
      }
      int first = stop.stream().mapToInt(text::indexOf).filter(at -> at >= 0).min().orElse(-1);

      OutputText output = output(stop.toArray(String[]::new));
      boolean stopped = appendAll(output, ids(text.toString()));

      assertThat(stopped).isEqualTo(first >= 0);
      String expected = first < 0 ? text.toString() : text.substring(0, firstSeen(text, stop));
      assertThat(output.text()).as("%s of %s", stop, text).isEqualTo(expected);
    }
  }

  /** Where a stop begins when the text is read token by token: it counts once it is complete. */
  private static int firstSeen(StringBuilder text, List<String> stop) {
    int[] ids = ids(text.toString());
    for (int count = 1; count <= ids.length; count++) {
      String prefix =
          count == ids.length
              ? text.toString()
              : DemoText.decode(tokenizer, Arrays.copyOf(ids, count));
      int first = stop.stream().mapToInt(prefix::indexOf).filter(at -> at >= 0).min().orElse(-1);
      if (first >= 0) {
        return first;
      }
    }
    throw new AssertionError("no stop in " + text);
  }
}
