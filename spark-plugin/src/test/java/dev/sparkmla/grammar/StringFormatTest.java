package dev.sparkmla.grammar;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sparkmla.policy.ByteAutomaton;
import java.time.DateTimeException;
import java.time.LocalDate;
import org.junit.jupiter.api.Test;

class StringFormatTest {
  @Test
  void datesAreThoseOfTheCalendar() {
    ByteAutomaton dates = Answers.automaton("{\"type\": \"string\", \"format\": \"date\"}");

    for (int year : new int[] {1, 4, 100, 400, 1900, 1999, 2000, 2023, 2024, 2100, 9996, 9999}) {
      for (int month = 0; month <= 13; month++) {
        for (int day = 0; day <= 32; day++) {
          String date = String.format("\"%04d-%02d-%02d\"", year, month, day);
          assertThat(Answers.accepts(dates, date)).as(date).isEqualTo(isDay(year, month, day));
        }
      }
    }
    assertThat(Answers.accepts(dates, "\"0000-01-01\"")).isFalse();
    assertThat(Answers.accepts(dates, "\"0000-02-29\"")).isFalse();
  }

  private static boolean isDay(int year, int month, int day) {
    try {
      LocalDate.of(year, month, day);
      return true;
    } catch (DateTimeException e) {
      return false;
    }
  }

  @Test
  void localTimesHaveNoOffset() {
    ByteAutomaton times =
        Answers.automaton("{\"type\": \"string\", \"format\": \"date-time-local\"}");

    assertThat(Answers.accepts(times, "\"2024-02-29T23:59:59\"")).isTrue();
    assertThat(Answers.accepts(times, "\"2024-02-29T00:00:00.123456\"")).isTrue();
    assertThat(Answers.accepts(times, "\"2023-02-29T00:00:00\"")).isFalse();
    assertThat(Answers.accepts(times, "\"2024-02-29T24:00:00\"")).isFalse();
    assertThat(Answers.accepts(times, "\"2024-02-29T00:00:00Z\"")).isFalse();
  }

  @Test
  void formatsAreBoundedByLengthsToo() {
    ByteAutomaton emails =
        Answers.automaton("{\"type\": \"string\", \"format\": \"email\", \"maxLength\": 9}");

    assertThat(Answers.accepts(emails, "\"a@bcde.fr\"")).isTrue();
    assertThat(Answers.accepts(emails, "\"a@bcdef.fr\"")).isFalse();
  }
}
