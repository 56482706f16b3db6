// ADVI of Stan's own library over a Stan program: httpstan has its headers, but no service that runs it.
// Linked into the extension of a program; called by backends/stan/variational.py. All passes as plain numbers, data as JSON.

#include <cstring>
#include <limits>
#include <sstream>
#include <stan/callbacks/stream_logger.hpp>
#include <stan/callbacks/writer.hpp>
#include <stan/io/empty_var_context.hpp>
#include <stan/io/json/json_data.hpp>
#include <stan/model/model_base.hpp>
#include <stan/services/util/create_rng.hpp>
#include <stan/services/util/initialize.hpp>
#include <stan/variational/advi.hpp>

stan::model::model_base &new_model(stan::io::var_context &data, unsigned int seed, std::ostream *messages);

namespace {

// The program's density, and how often it was evaluated: with a gradient where its argument is a `var`.
struct Counted {
  stan::model::model_base &model;
  mutable long densities = 0, gradients = 0;
  long trials = 0;

  size_t num_params_r() const { return model.num_params_r(); }

  template <bool propto, bool jacobian, typename T>
  T log_prob(Eigen::Matrix<T, -1, 1> &z, std::ostream *messages) const {
    ++(std::is_same<T, double>::value ? densities : gradients);
    return model.template log_prob<propto, jacobian>(z, messages);
  }
};

void write(const stan::variational::normal_meanfield &q, double *to) {
  Eigen::Map<Eigen::VectorXd>(to, q.dimension()) = q.mu();
  Eigen::Map<Eigen::VectorXd>(to + q.dimension(), q.dimension()) = q.omega();
}

void write(const stan::variational::normal_fullrank &q, double *to) {
  Eigen::Map<Eigen::VectorXd>(to, q.dimension()) = q.mu();
  Eigen::Map<Eigen::MatrixXd>(to + q.dimension(), q.dimension(), q.dimension()) = q.L_chol();
}

// Where the results go, and who is called with a step and its ELBO whenever Stan has evaluated that.
struct Caller {
  double *q;
  long *done;
  void (*look)(long step, double elbo);

  void count(const Counted &model) const {
    done[0] = model.gradients;
    done[1] = model.trials;
    done[2] = model.densities;
  }
};

template <typename Q>
struct Diagnostics : stan::callbacks::writer {
  const Q &q;
  const Counted &model;
  const Caller &caller;

  Diagnostics(const Q &q, const Counted &model, const Caller &caller) : q(q), model(model), caller(caller) {}

  using stan::callbacks::writer::operator();
  // Of Stan's: the step, its seconds, the ELBO.
  void operator()(const std::vector<double> &row) override {
    write(q, caller.q);
    caller.count(model);
    caller.look(static_cast<long>(row[0]), row[2]);
  }
};

template <typename Q>
void maximise(Counted &model, Eigen::VectorXd &z, stan::rng_t &rng, const int *counts, double tolerance,
              stan::callbacks::logger &logger, const Caller &caller) {
  Q q(z);
  Diagnostics<Q> diagnostics(q, model, caller);
  stan::variational::advi<Counted, Q, stan::rng_t> advi(model, z, rng, counts[0], counts[1], counts[2], 1);
  double eta = advi.adapt_eta(q, counts[3], logger);
  model.trials = model.gradients;
  advi.stochastic_gradient_ascent(q, eta, tolerance, counts[4], logger, diagnostics);
  write(q, caller.q);
  caller.count(model);
}

}  // namespace

// The program's log density, Jacobian included, at points z (n, dim) in rows, of data as ADVI is given them; NaN where the
// program refuses one. Returns 0, or 1 where it refuses the data.
extern "C" int bench_density(const char *data, unsigned int seed, long n, long dim, const double *z, double *values) {
  std::stringstream text(data), said;
  try {
    stan::json::json_data given(text);
    std::unique_ptr<stan::model::model_base> model(&new_model(given, seed, &said));
    for (long i = 0; i < n; ++i) {
      Eigen::VectorXd at = Eigen::Map<const Eigen::VectorXd>(z + i * dim, dim);
      try {
        values[i] = model->log_prob_jacobian(at, &said);
      } catch (const std::exception &) {
        values[i] = std::numeric_limits<double>::quiet_NaN();
      }
    }
    return 0;
  } catch (const std::exception &) {
    return 1;
  }
}

// counts: draws per gradient, draws per ELBO, iterations between ELBOs, iterations of each trial step size, iterations
// at most. q: mean (dim), then the log of the sds (dim), or the Cholesky factor (dim, dim) by columns if full_rank.
// done: gradients in all and those of trial step sizes, densities without one. Both are also up to date whenever `look`
// is called. Returns 0, or 1 with the reason in messages.
extern "C" int bench_advi(const char *data, unsigned int seed, double radius, int full_rank, const int *counts,
                          double tolerance, long dim, double *q, long *done, void (*look)(long, double),
                          char *messages, long size) {
  std::stringstream said;
  int failed = 0;
  try {
    std::stringstream text(data);
    stan::json::json_data given(text);
    std::unique_ptr<stan::model::model_base> model(&new_model(given, seed, &said));
    if (static_cast<long>(model->num_params_r()) != dim)
      throw std::invalid_argument("the program has another number of parameters than the data's family");
    stan::callbacks::stream_logger logger(said, said, said, said, said);
    stan::callbacks::writer silent;
    stan::io::empty_var_context inits;
    stan::rng_t rng = stan::services::util::create_rng(seed, 1);
    std::vector<double> start
        = stan::services::util::initialize<true>(*model, inits, rng, radius, false, logger, silent);
    Eigen::VectorXd z = Eigen::Map<Eigen::VectorXd>(start.data(), dim);
    Counted counted{*model};
    Caller caller{q, done, look};
    if (full_rank)
      maximise<stan::variational::normal_fullrank>(counted, z, rng, counts, tolerance, logger, caller);
    else
      maximise<stan::variational::normal_meanfield>(counted, z, rng, counts, tolerance, logger, caller);
  } catch (const std::exception &error) {
    said << error.what();
    failed = 1;
  }
  std::string all = said.str();
  std::strncpy(messages, all.substr(all.size() > static_cast<size_t>(size) ? all.size() - size + 1 : 0).c_str(), size);
  return failed;
}
