// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/base/parameter_schema.h"
#include "views/cache/policy_list_model.h"

#include <QWidget>

#include <map>
#include <string>
#include <vector>

class QLabel;
class QListView;
class QPushButton;
class QSlider;
class QVBoxLayout;

namespace tamis::views {

class ParameterEditor;

/// What the curves and the step player of the cache lab are made of: policies with ticks, the parameters of the one in focus as live sliders, what
/// holds for all of them, the share of the trace that warms up, and the way to the plan. What is shown is what the owner sets.
class CacheSettings : public QWidget {
    Q_OBJECT
public:
    explicit CacheSettings(QWidget* parent = nullptr);

    void setPolicies(const std::vector<OfferedPolicy>& policies, const std::map<QString, ParameterSchema>& schemas);
    void setTicked(const QStringList& ids);
    void setFocused(const QString& id, const Parameters& parameters); ///< without a signal; `parameters` may be incomplete
    void setRules(const ParameterSchema& schema, const Parameters& values); ///< of all policies; an empty schema: none, and no room for them
    void setWarmUp(double share);                                     ///< without a signal
    void setProblem(const QString& sentence);                         ///< of the parameters; empty: none
    void setPlanned(const QString& title, bool same, const QString& reason); ///< what the plan has of caches (empty: nothing), whether it is this, why it cannot be put
    QString focused() const;
    PolicyListModel* policies() const { return m_policies; }
    QListView* list() const { return m_list; }

signals:
    void tickedEdited(const QStringList& ids);
    void focusedEdited(const QString& id);
    void parameterEdited(const QString& name, const tamis::ParameterValue& value, bool finished);
    void ruleEdited(const QString& name, const tamis::ParameterValue& value, bool finished);
    void warmUpEdited(double share, bool finished); ///< `finished` false while the slider is held
    void keepRequested();
    void planRequested();
    void unplanRequested();

private:
    void buildPolicies(QVBoxLayout* column);
    void buildWarmUp(QVBoxLayout* column);
    void buildPlan(QVBoxLayout* column);
    void showWarmUp(int percent);

    PolicyListModel* m_policies;
    std::map<QString, ParameterSchema> m_schemas;
    QString m_schemaOf, m_rulesOf;
    bool m_quiet = false;
    QListView* m_list = nullptr;
    QLabel *m_title = nullptr, *m_reference = nullptr, *m_rulesTitle = nullptr, *m_problem = nullptr, *m_warmUpText = nullptr, *m_planned = nullptr;
    ParameterEditor *m_parameters = nullptr, *m_rules = nullptr;
    QSlider* m_warmUp = nullptr;
    QPushButton *m_keep = nullptr, *m_plan = nullptr, *m_unplan = nullptr;
};

} // namespace tamis::views
