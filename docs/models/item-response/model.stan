// Item response in Stan: indices of the data begin at 0.
data {
  int<lower=1> persons;
  int<lower=1> items;
  array[persons * items] int<lower=0> person;
  array[persons * items] int<lower=0> item;
  array[persons * items] int<lower=0, upper=1> y;
}
transformed data {
  array[persons * items] int who;
  array[persons * items] int what;
  for (i in 1:persons * items) {
    who[i] = person[i] + 1;
    what[i] = item[i] + 1;
  }
}
parameters {
  vector[persons] ability;
  vector[items] difficulty;
  real<lower=0> sigma;
}
model {
  sigma ~ normal(0, 2);
  ability ~ normal(0, sigma);
  difficulty ~ std_normal();
  y ~ bernoulli_logit(ability[who] - difficulty[what]);
}
