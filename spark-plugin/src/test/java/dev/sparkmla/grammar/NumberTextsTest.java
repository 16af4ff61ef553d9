package dev.sparkmla.grammar;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sparkmla.policy.ByteAutomaton;
import java.math.BigDecimal;
import java.util.Random;
import org.junit.jupiter.api.Test;

class NumberTextsTest {
  @Test
  void numbersOfARangeAreWritten() {
    for (long seed = 0; seed < 400; seed++) {
      Random random = new Random(seed);
      NumberRange range = range(random);
      int fractionDigits = random.nextInt(5);
      Expression expression = NumberTexts.of(range, fractionDigits);
      ByteAutomaton automaton =
          Answers.automaton(
              Expression.choice(expression, new Expression.Literal("x")), WhiteSpace.COMPACT);
      for (int i = 0; i < 50; i++) {
        BigDecimal number = near(range, random);
        assertThat(Answers.accepts(automaton, number.toPlainString()))
            .as("seed %s: %s of %s, %s digits", seed, number, range, fractionDigits)
            .isEqualTo(range.contains(number) && number.scale() <= fractionDigits);
      }
    }
  }

  @Test
  void numbersAreWrittenInOneWayButForZerosOfFractions() {
    ByteAutomaton automaton =
        Answers.automaton(
            NumberTexts.of(NumberRange.ALL.from(BigDecimal.valueOf(-5), true), 3),
            WhiteSpace.COMPACT);

    for (String number : new String[] {"0", "0.0", "1.50", "-5", "-5.000", "-0.1"}) {
      assertThat(Answers.accepts(automaton, number)).as(number).isTrue();
    }
    for (String number : new String[] {"", "-", "-0", "-0.0", "01", "1.", ".5", "+1", "1e2"}) {
      assertThat(Answers.accepts(automaton, number)).as(number).isFalse();
    }
  }

  private static NumberRange range(Random random) {
    BigDecimal least = number(random);
    NumberRange range = NumberRange.ALL;
    if (random.nextInt(4) > 0) {
      range = range.from(least.stripTrailingZeros(), random.nextBoolean());
    }
    if (random.nextInt(4) > 0) {
      BigDecimal most = least.add(number(random).abs());
      range = range.to(most.stripTrailingZeros(), random.nextBoolean());
    }
    return range;
  }

  private static BigDecimal number(Random random) {
    int largest = (int) Math.pow(10, 1 + random.nextInt(6));
    return BigDecimal.valueOf(random.nextInt(2 * largest + 1) - largest, random.nextInt(4));
  }

  /** At an end of a range, or some way from it. */
  private static BigDecimal near(NumberRange range, Random random) {
    BigDecimal end =
        (random.nextBoolean() ? range.least() : range.most())
            .map(NumberRange.Bound::value)
            .orElse(BigDecimal.ZERO);
    BigDecimal step = BigDecimal.valueOf(random.nextInt(201) - 100, random.nextInt(5));
    BigDecimal number = random.nextInt(5) == 0 ? end : end.add(step);
    return number.scale() < 0 ? number.setScale(0) : number;
  }
}
