package dev.sparkmla.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Collections;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SamplingParamsTest {
  @Test
  void readsEveryParameter() {
    SamplingParams params =
        SamplingParams.parse(
            Map.of(
                "max_tokens", " 512 ",
                "temperature", "0.5",
                "top_k", "40",
                "top_p", "0.9",
                "stop", "END",
                "seed", "-7"));

    assertThat(params.maxTokens()).hasValue(512);
    assertThat(params.temperature()).hasValue(0.5);
    assertThat(params.topK()).hasValue(40);
    assertThat((float) params.topP().orElseThrow()).isEqualTo(0.9f);
    assertThat(params.stop()).containsExactly("END");
    assertThat(params.seed()).isEqualTo(-7);
  }

  @Test
  void leavesOpenWhatIsNotGiven() {
    SamplingParams params = SamplingParams.parse(Map.of());

    assertThat(params.maxTokens()).isEmpty();
    assertThat(params.temperature()).isEmpty();
    assertThat(params.topK()).isEmpty();
    assertThat(params.topP()).isEmpty();
    assertThat(params.stop()).isEmpty();
    assertThat(params.seed()).isZero();
  }

  @Test
  void takesTheEndsOfEachRange() {
    Map<String, String> least =
        Map.of("max_tokens", "1", "temperature", "0", "top_k", "0", "seed", "" + Long.MIN_VALUE);
    assertThat(SamplingParams.parse(least).seed()).isEqualTo(Long.MIN_VALUE);
    Map<String, String> most = Map.of("max_tokens", "2147483647", "top_p", "1");
    assertThat(SamplingParams.parse(most).maxTokens()).hasValue(Integer.MAX_VALUE);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "max_tokens|0|from 1 to 2147483647",
        "max_tokens|-1|from 1 to 2147483647",
        "max_tokens|2147483648|from 1 to 2147483647",
        "max_tokens|1.5|an integer",
        "max_tokens|many|an integer",
        "max_tokens|''|an integer",
        "temperature|-0.1|≥ 0",
        "temperature|NaN|finite",
        "temperature|Infinity|finite",
        "temperature|1e99|finite",
        "temperature|warm|finite",
        "top_k|-1|from 0",
        "top_p|0|above 0, at most 1",
        "top_p|1.01|above 0, at most 1",
        "top_p|NaN|above 0, at most 1",
        "seed|9223372036854775808|from -9223372036854775808 to 9223372036854775807",
        "stop|''|not empty",
      })
  void refusesWhatIsOutOfRange(String name, String value, String range) {
    assertThatThrownBy(() -> SamplingParams.parse(Map.of(name, value)))
        .isInstanceOf(InvalidParameterException.class)
        .hasMessageStartingWith(name + " is '" + value + "'")
        .hasMessageContaining(range);
  }

  @ParameterizedTest
  @ValueSource(strings = {"max_tokens", "temperature", "top_k", "top_p", "seed", "stop"})
  void refusesNull(String name) {
    assertThatThrownBy(() -> SamplingParams.parse(Collections.singletonMap(name, null)))
        .isInstanceOf(InvalidParameterException.class)
        .hasMessageStartingWith(name + " is null");
  }

  @Test
  void refusesAnUnknownName() {
    assertThatThrownBy(() -> SamplingParams.parse(Map.of("max_new_tokens", "5")))
        .isInstanceOf(InvalidParameterException.class)
        .hasMessageContaining("'max_new_tokens'")
        .hasMessageContaining("max_tokens, temperature");
  }

  @Test
  void readsSeveralStopsAsJson() {
    assertThat(SamplingParams.parse(Map.of("stop", "[\"a\", \"\\n\\n\", \"[\"]")).stop())
        .containsExactly("a", "\n\n", "[");
    assertThat(SamplingParams.parse(Map.of("stop", "[]")).stop()).isEmpty();
    assertThat(SamplingParams.parse(Map.of("stop", " [x")).stop()).containsExactly(" [x");
  }

  @ParameterizedTest
  @ValueSource(strings = {"[", "[\"a\"", "[1]", "[\"\"]", "[null]", "[\"a\"] b", "[[\"a\"]]"})
  void refusesOtherJson(String stop) {
    assertThatThrownBy(() -> SamplingParams.parse(Map.of("stop", stop)))
        .isInstanceOf(InvalidParameterException.class)
        .hasMessageContaining(stop)
        .hasMessageContaining("JSON array");
  }
}
