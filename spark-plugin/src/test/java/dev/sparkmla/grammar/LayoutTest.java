package dev.sparkmla.grammar;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sparkmla.policy.ByteAutomaton;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class LayoutTest {
  private static final Expression ANY = new Expression.Character(CharacterSet.ALL);

  private static ByteAutomaton compact(Expression... parts) {
    return Answers.automaton(new Expression.Sequence(List.of(parts)), WhiteSpace.COMPACT);
  }

  private static Expression literal(String text) {
    return new Expression.Literal(text);
  }

  private static Expression repeated(Expression part, int least, int most) {
    return new Expression.Repetition(part, Expression.EMPTY, least, most);
  }

  @Test
  void acceptsWhatIsUtf8Alone() {
    ByteAutomaton any = compact(ANY);
    int[] bytes = IntStream.range(0, 256).toArray();
    int[] limits = {0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xFF};
    for (int first : bytes) {
      assertThatAcceptsUtf8(any, first);
      for (int second : bytes) {
        assertThatAcceptsUtf8(any, first, second);
      }
      for (int second : limits) {
        for (int third : limits) {
          assertThatAcceptsUtf8(any, first, second, third);
          for (int fourth : limits) {
            assertThatAcceptsUtf8(any, first, second, third, fourth);
          }
        }
      }
    }
  }

  private static void assertThatAcceptsUtf8(ByteAutomaton any, int... values) {
    byte[] bytes = new byte[values.length];
    long position = any.start();
    for (int i = 0; i < values.length; i++) {
      bytes[i] = (byte) values[i];
      position = any.step(position, values[i]);
    }
    String text = new String(bytes, StandardCharsets.UTF_8);
    boolean isOne =
        text.codePointCount(0, text.length()) == 1
            && Arrays.equals(text.getBytes(StandardCharsets.UTF_8), bytes);
    if (any.accepts(position) != isOne) {
      assertThat(any.accepts(position)).as(Arrays.toString(values)).isEqualTo(isOne);
    }
  }

  @Test
  void aLongStringTakesFewStates() {
    ByteAutomaton automaton = compact(new Expression.JsonString(1, 1_000));

    assertThat(automaton.states()).isLessThan(20);
    assertThat(Answers.accepts(automaton, "\"" + "😀".repeat(1_000) + "\"")).isTrue();
    assertThat(Answers.accepts(automaton, "\"" + "\\n".repeat(1_001) + "\"")).isFalse();
    assertThat(Answers.accepts(automaton, "\"\"")).isFalse();
    assertThat(Answers.accepts(automaton, "\"a\nb\"")).isFalse();
    assertThat(Answers.accepts(automaton, "\"\\u001F\\\"\\\\\"")).isTrue();
    assertThat(Answers.accepts(automaton, "\"\\u0041\"")).isFalse();
  }

  @Test
  void stringsOfEqualBoundsBeforeTheSameShareStates() {
    Expression string = new Expression.JsonString(0, 9);
    int once = compact(string).states();

    assertThat(compact(new Expression.Choice(List.of(string, string))).states()).isEqualTo(once);
  }

  @Test
  void stringsThatLeaveTheSameStateAreToldApart() {
    Expression choice =
        new Expression.Choice(
            List.of(
                new Expression.Sequence(List.of(new Expression.JsonString(0, 2), literal("!"))),
                new Expression.Sequence(List.of(new Expression.JsonString(2, 4), literal("?"))),
                new Expression.Sequence(List.of(literal("\"abcde\""), literal(".")))));
    ByteAutomaton automaton = compact(choice, new Expression.JsonString(0, 1));

    for (String text :
        new String[] {"\"\"!\"\"", "\"ab\"!\"c\"", "\"ab\"?\"\"", "\"abcde\".\"\""}) {
      assertThat(Answers.accepts(automaton, text)).as(text).isTrue();
    }
    for (String text :
        new String[] {"\"\"?\"\"", "\"abc\"!\"\"", "\"abcde\"?\"\"", "\"ab\"!\"cc\""}) {
      assertThat(Answers.accepts(automaton, text)).as(text).isFalse();
    }
  }

  @Test
  void patternedStringsAreBoundedAndEscaped() {
    Expression text = new Expression.JsonText(repeated(ANY, 0, Expression.UNBOUNDED), 1, 3);
    ByteAutomaton automaton = compact(text);

    assertThat(Answers.accepts(automaton, "\"\\n\\\"😀\"")).isTrue();
    assertThat(Answers.accepts(automaton, "\"\"")).isFalse();
    assertThat(Answers.accepts(automaton, "\"aaaa\"")).isFalse();
    assertThatThrownBy(() -> compact(new Expression.JsonText(literal("abcd"), 0, 3)))
        .isInstanceOf(InvalidResponseFormatException.class)
        .hasMessageContaining("no text meets");
  }

  @Test
  void charactersAreWellFormedUtf8() {
    ByteAutomaton any = compact(ANY);

    for (int character : new int[] {0, 0x7F, 0x80, 0x7FF, 0x800, 0xFFFF, 0x10000, 0x10FFFF}) {
      assertThat(Answers.accepts(any, Character.toString(character))).isTrue();
    }
    int[][] illFormed = {{0xC1, 0xBF}, {0xE0, 0x9F, 0xBF}, {0xED, 0xA0, 0x80}, {0xF0, 0x8F, 0xBF}};
    for (int[] bytes : illFormed) {
      long position = any.start();
      for (int value : bytes) {
        position = any.step(position, value);
      }
      assertThat(position).isEqualTo(ByteAutomaton.DEAD);
    }
  }

  @Test
  void whiteSpaceIsBounded() {
    Expression answer =
        new Expression.Sequence(List.of(literal("a"), new Expression.Space(), literal("b")));
    ByteAutomaton free = Answers.automaton(answer, WhiteSpace.FREE);

    assertThat(Answers.accepts(free, "ab")).isTrue();
    assertThat(Answers.accepts(free, "a\n" + " \t".repeat(10) + "b")).isTrue();
    assertThat(Answers.accepts(free, "a" + " ".repeat(21) + "b")).isFalse();
    assertThat(Answers.accepts(free, "a\n\nb")).isFalse();
    assertThat(Answers.accepts(compact(answer), "a b")).isFalse();
  }

  @Test
  void limitsNesting() {
    Expression nested = literal("a");
    for (int i = 0; i < 100_000; i++) {
      nested = new Expression.Sequence(List.of(nested));
    }
    Expression answer = nested;

    assertThatThrownBy(() -> compact(answer))
        .isInstanceOf(InvalidResponseFormatException.class)
        .hasMessageContaining("nested too deeply");
  }

  @Test
  void agreesWithTheReferenceOnRandomExpressions() {
    int accepted = 0;
    int refused = 0;
    for (long seed = 0; seed < 600; seed++) {
      Random random = new Random(seed);
      WhiteSpace whiteSpace = WhiteSpace.values()[random.nextInt(2)];
      RandomExpressions expressions = new RandomExpressions(random);
      Expression answer = expressions.answer(3);
      ByteAutomaton automaton;
      try {
        automaton = Answers.automaton(answer, whiteSpace);
      } catch (InvalidResponseFormatException e) {
        assertThat(e).as("seed " + seed).hasMessageMatching(".*(no text meets|too complex).*");
        continue;
      }
      for (int i = 0; i < 30; i++) {
        String sample = expressions.sample(answer);
        String text = i < 10 ? sample : expressions.mutation(sample);
        boolean expected = ReferenceMatcher.matches(answer, text, whiteSpace);
        accepted += expected ? 1 : 0;
        refused += expected ? 0 : 1;
        assertThat(Answers.accepts(automaton, text))
            .as("seed %d: %s of %s", seed, text, answer)
            .isEqualTo(expected);
      }
    }
    assertThat(accepted).isGreaterThan(3_000);
    assertThat(refused).isGreaterThan(3_000);
  }

  @Test
  void sameFormatsMakeSameAutomata() {
    for (long seed = 0; seed < 20; seed++) {
      String format = "regex: " + RandomPatterns.pattern(new Random(seed)) + "|x";
      ByteAutomaton automaton = Answers.automaton(format);
      ByteAutomaton again = Answers.automaton(format);
      assertThat(again.edges()).as(format).isEqualTo(automaton.edges());
      assertThat(again.classOf()).isEqualTo(automaton.classOf());
      assertThat(again.accepting()).isEqualTo(automaton.accepting());
    }
  }
}
