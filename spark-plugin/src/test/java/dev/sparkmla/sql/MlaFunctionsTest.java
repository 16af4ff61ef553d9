package dev.sparkmla.sql;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.lit;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sparkmla.arrow.GenerationRequest;
import dev.sparkmla.arrow.OverflowPolicy;
import dev.sparkmla.arrow.Prompt;
import java.util.Map;
import java.util.Optional;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** The DataFrame's side says what SQL says. */
class MlaFunctionsTest {
  @RegisterExtension static final LocalSpark SPARK = new LocalSpark();

  @Test
  void callsWithDefaults() {
    assertThat(one().select(MlaFunctions.llmGenerateText(col("p"))).first().getString(0))
        .isEqualTo("<x>");
    assertThat(one().select(MlaFunctions.llmGenerate(col("p"))).first().getStruct(0).getString(2))
        .isEqualTo("stop");
    assertThat(EchoGenerator.INSTANCE.requests())
        .containsOnly(
            new GenerationRequest(
                new Prompt.Raw("x"), Optional.empty(), Map.of(), OverflowPolicy.ERROR));
  }

  @Test
  void passesOptions() {
    LlmOptions options =
        LlmOptions.defaults()
            .withParam("max_tokens", 5)
            .withParam("temperature", 0.5)
            .withParam("seed", lit(3))
            .withResponseFormat("json")
            .withSystem("short")
            .withOnError(OnError.NULL)
            .withOnOverflow(OverflowPolicy.TRUNCATE_MIDDLE);
    assertThat(
            one()
                .select(MlaFunctions.llmGenerate(col("p"), options))
                .union(one().select(MlaFunctions.llmGenerate(lit(""), options)))
                .collectAsList())
        .extracting(row -> row.isNullAt(0))
        .containsExactly(false, true);
    assertThat(EchoGenerator.INSTANCE.requests())
        .contains(
            new GenerationRequest(
                new Prompt.Raw("x"),
                Optional.of("short"),
                Map.of(
                    "max_tokens",
                    "5",
                    "temperature",
                    "0.5",
                    "seed",
                    "3",
                    "response_format",
                    "json"),
                OverflowPolicy.TRUNCATE_MIDDLE));
  }

  @Test
  void takesASystemMessageFromAColumn() {
    one()
        .select(MlaFunctions.llmGenerateText(col("p"), LlmOptions.defaults().withSystem(col("p"))))
        .collect();
    assertThat(EchoGenerator.INSTANCE.requests())
        .singleElement()
        .matches(request -> request.system().equals(Optional.of("x")));
  }

  private static Dataset<Row> one() {
    return SPARK.session().sql("select 'x' p");
  }
}
